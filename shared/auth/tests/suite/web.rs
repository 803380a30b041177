//! A page of somebody else's host, which says what a test wants it to.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use ports::Response;
use serde_json::Value;
use testing::{Dependency, FakePlatform};

pub(crate) struct Page(Rc<RefCell<Response>>);

impl Page {
    /// A page that says nothing yet.
    pub(crate) fn at(platform: &FakePlatform, url: &str) -> Self {
        let page = Rc::new(RefCell::new(Response::default()));
        let answer = Rc::clone(&page);
        platform.route(url, Dependency::Clients, move |_| answer.borrow().clone());
        Self(page)
    }

    /// From now on it is this JSON.
    pub(crate) fn shows(&self, value: &Value) {
        self.answers(200, &[("content-type", "application/json")], &value.to_string());
    }

    /// The same, with a header more.
    pub(crate) fn shows_with(&self, value: &Value, header: (&'static str, &str)) {
        self.shows(value);
        self.0.borrow_mut().headers_mut().insert(header.0, header.1.parse().unwrap());
    }

    pub(crate) fn answers(&self, status: u16, headers: &[(&'static str, &str)], body: &str) {
        let mut response = Response::new(Bytes::copy_from_slice(body.as_bytes()));
        *response.status_mut() = status.try_into().unwrap();
        for (name, value) in headers {
            response.headers_mut().insert(*name, value.parse().unwrap());
        }
        *self.0.borrow_mut() = response;
    }
}
