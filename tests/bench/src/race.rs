//! What becomes of one refresh token in many hands at once: tabs, retries, instances of an app.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};

use crate::load::{Answer, Link};
use crate::pool::Session;

/// Parallel refreshes of one token.
pub(crate) const HANDS: usize = 50;

/// Whoever takes refresh tokens.
pub(crate) trait Rotates {
    /// The answer to a refresh token.
    async fn rotate(&self, link: &mut Link, session: &Session) -> Result<Answer>;
}

/// How a race ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Race {
    /// Of so many requests.
    pub(crate) hands: usize,
    /// So many were granted.
    pub(crate) granted: usize,
    /// So many different refresh tokens were handed out.
    pub(crate) distinct: usize,
    /// So many of those that were granted hold a token that works afterwards.
    pub(crate) alive: usize,
}

/// Refresh one token over as many connections at once, then see whose new token works.
///
/// # Errors
/// If there is no answer, or none grants anything.
pub(crate) async fn race(service: &impl Rotates, port: u16, session: &Session) -> Result<Race> {
    let mut links = try_join_all((0..HANDS).map(|_| Link::to(port))).await?;
    let answers = links.iter_mut().map(|link| service.rotate(link, session));
    let mut holders = BTreeMap::<String, usize>::new();
    for answer in try_join_all(answers).await? {
        if answer.status == 200 {
            *holders.entry(Session::of(&answer)?.refresh).or_default() += 1;
        }
    }
    ensure!(!holders.is_empty(), "no refresh was granted");
    let mut link = Link::to(port).await?;
    let mut alive = 0;
    for (refresh, count) in &holders {
        let session = Session { access: String::new(), refresh: refresh.clone() };
        if service.rotate(&mut link, &session).await?.status == 200 {
            alive += count;
        }
    }
    Ok(Race { hands: HANDS, granted: holders.values().sum(), distinct: holders.len(), alive })
}
