//! What the platform itself costs.

use std::cell::Cell;

use anyhow::Result;

use crate::load::{Link, Load, form, get};

/// Our access tokens have about so many bytes.
const FORM: usize = 700;

/// What is asked of the bare Worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Floor {
    /// Nothing.
    Empty,
    /// To read a form of the size of a question about a token.
    Form,
    /// A row of a Durable Object.
    Read,
    /// A row of a Durable Object, changed.
    Write,
}

/// The same over as many objects as there are people.
pub(crate) struct Floors {
    floor: Floor,
    objects: usize,
    next: Cell<usize>,
}

impl Floors {
    /// One of them.
    pub(crate) fn new(floor: Floor, objects: usize) -> Self {
        Self { floor, objects, next: Cell::new(0) }
    }

    /// Make every object once, so that none is made while something is measured.
    ///
    /// # Errors
    /// If one is not made.
    pub(crate) async fn prepare(&self, port: u16) -> Result<()> {
        let mut link = Link::to(port).await?;
        for object in 0..self.objects {
            link.send(get(&format!("/write/{object}"), &[])?).await?.expect(200)?;
        }
        Ok(())
    }
}

impl Load for Floors {
    async fn next(&self, _lane: usize, link: &mut Link) -> Result<bool> {
        let object = self.next.get();
        self.next.set((object + 1) % self.objects);
        let path = match self.floor {
            Floor::Empty => "/empty".to_owned(),
            Floor::Form => {
                let token = "x".repeat(FORM);
                link.send(form("/form", &[], &[("token", &token)])?).await?.expect(200)?;
                return Ok(true);
            }
            Floor::Read => format!("/read/{object}"),
            Floor::Write => format!("/write/{object}"),
        };
        link.send(get(&path, &[])?).await?.expect(200)?;
        Ok(true)
    }
}
