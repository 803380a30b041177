//! Who belongs to which organization: written at sign-in from what WorkOS says.

use ports::{Sql, Statement};

use crate::DataError;
use crate::error::{Rule, columns, explain_service, only_row, required};
use crate::session::one_as_service;

const PROVISION: &str = include_str!("../queries/member_provision.sql");
const WHAT: &str = "membership";

const RULES: &[Rule] = &[
    // The name of a new organization is its name at WorkOS.
    Rule {
        constraint: "organizations_name_length",
        field: "workos_organization_id",
        reason: "must have 1 to 255 characters and not be blank",
    },
    Rule {
        constraint: "organizations_workos_organization_id_length",
        field: "workos_organization_id",
        reason: "must have 1 to 255 characters",
    },
    Rule {
        constraint: "organizations_personal_user_id_length",
        field: "user_id",
        reason: "must have 1 to 255 characters",
    },
    Rule {
        constraint: "memberships_user_id_length",
        field: "user_id",
        reason: "must have 1 to 255 characters",
    },
];

/// The organization that a sign-in is for, and the user's role there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provisioned {
    /// UUID.
    pub organization_id: String,
    /// `owner`, `admin`, `member` or `viewer`.
    pub role: String,
}

/// Make sure that the organization and the user's membership exist, in one round trip.
///
/// Without a WorkOS organization it is the user's personal one, of which the user is the owner.
/// In a WorkOS organization the role is the one that WorkOS says; a role that we do not know is
/// `member`. `new_organization_id` is used if the organization is new. Repeating it, also at the
/// same time, changes nothing.
///
/// # Errors
/// [`DataError::Invalid`] for names that cannot be stored.
pub async fn provision(
    sql: &impl Sql,
    user_id: &str,
    workos_organization_id: Option<&str>,
    workos_role: Option<&str>,
    new_organization_id: &str,
) -> Result<Provisioned, DataError> {
    let parameters = vec![
        Some(user_id.to_owned()),
        workos_organization_id.map(str::to_owned),
        workos_role.map(str::to_owned),
        Some(new_organization_id.to_owned()),
    ];
    let rows = one_as_service(sql, Statement { text: PROVISION, parameters })
        .await
        .map_err(|error| explain_service(error, WHAT, RULES))?;
    let [organization_id, role] = columns(only_row(rows)?)?;
    Ok(Provisioned { organization_id: required(organization_id)?, role: required(role)? })
}
