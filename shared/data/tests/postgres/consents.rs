//! What people have allowed which applications.

use data::consents::{self, Agreed};
use data::{Caller, DataError, as_service, as_user};
use ports::{SqlError, Statement};

use crate::support::{Cluster, DEPLOYER, Direct};

async fn prepared() -> (Cluster, Direct) {
    let cluster = Cluster::start().await;
    cluster.migrate(DEPLOYER).await;
    let sql = cluster.sql();
    (cluster, sql)
}

fn scopes(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn to(client: &str, names: &[&str]) -> Agreed {
    Agreed {
        client_id: client.to_owned(),
        client_name: format!("The {client}"),
        scopes: scopes(names),
    }
}

async fn covers(sql: &Direct, person: &str, client: &str, names: &[&str]) -> bool {
    consents::covers(sql, person, client, &scopes(names)).await.unwrap()
}

async fn listed(sql: &Direct, person: &str) -> Vec<(String, String, Vec<String>)> {
    let all = consents::list(sql, person).await.unwrap();
    all.into_iter().map(|one| (one.client_id, one.client_name, one.scopes)).collect()
}

#[tokio::test]
async fn a_wider_ask_is_not_covered_until_it_was_agreed_to() {
    let (_cluster, sql) = prepared().await;
    assert!(!covers(&sql, "ada", "app", &["read"]).await);
    consents::remember(&sql, "ada", &to("app", &["read", "write"])).await.unwrap();
    for names in [&["read"][..], &["write", "read"], &[]] {
        assert!(covers(&sql, "ada", "app", names).await, "{names:?}");
    }
    for names in [&["read", "more"][..], &["READ"], &["rea"]] {
        assert!(!covers(&sql, "ada", "app", names).await, "{names:?}");
    }
    assert!(!covers(&sql, "ada", "other", &["read"]).await);
    consents::remember(&sql, "ada", &to("app", &["more", "read"])).await.unwrap();
    assert!(covers(&sql, "ada", "app", &["read", "write", "more"]).await);
    let all = scopes(&["more", "read", "write"]);
    assert_eq!(listed(&sql, "ada").await, [("app".to_owned(), "The app".to_owned(), all)]);
}

#[tokio::test]
async fn what_is_withdrawn_is_gone() {
    let (_cluster, sql) = prepared().await;
    consents::remember(&sql, "ada", &to("app", &["read"])).await.unwrap();
    consents::remember(&sql, "ada", &to("other", &["read"])).await.unwrap();
    assert_eq!(consents::forget(&sql, "ada", "app").await, Ok(true));
    assert_eq!(consents::forget(&sql, "ada", "app").await, Ok(false));
    assert!(!covers(&sql, "ada", "app", &["read"]).await);
    assert!(covers(&sql, "ada", "other", &["read"]).await);
    consents::remember(&sql, "ada", &to("app", &["write"])).await.unwrap();
    assert!(!covers(&sql, "ada", "app", &["read"]).await, "it begins anew");
}

#[tokio::test]
async fn consent_is_given_once_by_any_number_of_windows() {
    let (_cluster, sql) = prepared().await;
    let names: Vec<String> = (0..12).map(|number| format!("s{number}")).collect();
    let asks: Vec<_> = names.iter().map(|name| to("app", &[name])).collect();
    let all =
        futures::future::join_all(asks.iter().map(|ask| consents::remember(&sql, "ada", ask)));
    assert!(all.await.iter().all(Result::is_ok));
    assert!(consents::covers(&sql, "ada", "app", &names).await.unwrap());
    assert_eq!(consents::list(&sql, "ada").await.unwrap().len(), 1);
}

#[tokio::test]
async fn one_persons_answer_never_counts_for_another() {
    let (_cluster, sql) = prepared().await;
    consents::remember(&sql, "ada", &to("app", &["read"])).await.unwrap();
    assert!(!covers(&sql, "bob", "app", &["read"]).await);
    assert!(listed(&sql, "bob").await.is_empty());
    assert_eq!(consents::forget(&sql, "bob", "app").await, Ok(false));
    let bob = Caller { subject: "bob".to_owned(), organization: None, roles: Vec::new() };
    let rows = async |text| {
        let statements = vec![Statement { text, parameters: Vec::new() }];
        as_user(&sql, &bob, statements).await.map(|results| results[0].rows.len())
    };
    // Without the condition that the queries carry, too.
    assert_eq!(rows("select * from app.oauth_consents").await, Ok(0));
    assert_eq!(rows("update app.oauth_consents set client_name = 'x' returning 1").await, Ok(0));
    assert_eq!(rows("delete from app.oauth_consents returning 1").await, Ok(0));
    for text in [
        "insert into app.oauth_consents (user_id, client_id, client_name, scopes)
            values ('ada', 'evil', 'Evil', '{read}')",
        "update app.oauth_consents set user_id = 'ada'",
        "update app.oauth_consents set created_at = now()",
        "truncate app.oauth_consents",
    ] {
        let refused = rows(text).await;
        assert!(
            matches!(&refused, Err(SqlError::Refused { code, .. }) if code == "42501"),
            "{text}"
        );
    }
    assert!(covers(&sql, "ada", "app", &["read"]).await);
}

#[tokio::test]
async fn neither_the_service_nor_nobody_sees_them() {
    let (_cluster, sql) = prepared().await;
    consents::remember(&sql, "ada", &to("app", &["read"])).await.unwrap();
    let text = "select * from app.oauth_consents";
    let statement = || Statement { text, parameters: Vec::new() };
    for refused in [
        as_service(&sql, vec![statement()]).await,
        ports::Sql::transaction(&sql, &[statement()]).await,
    ] {
        assert!(matches!(refused, Err(SqlError::Refused { code, .. }) if code == "42501"));
    }
    // A person without a name agrees to nothing and has agreed to nothing.
    let nobody = consents::remember(&sql, "", &to("app", &["read"])).await;
    assert_eq!(nobody, Err(DataError::NotPermitted));
    assert!(!covers(&sql, "", "app", &["read"]).await);
}

#[tokio::test]
async fn values_that_the_model_does_not_allow_name_their_field() {
    let (_cluster, sql) = prepared().await;
    let field = async |agreed: Agreed| match consents::remember(&sql, "ada", &agreed).await {
        Err(DataError::Invalid { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    let fine =
        Agreed { client_id: "é".repeat(1000), client_name: "é".repeat(200), ..to("", &[]) };
    let fine = Agreed { client_id: fine.client_id.replace('é', "e"), ..fine };
    consents::remember(&sql, "ada", &fine).await.unwrap();
    assert_eq!(field(Agreed { client_id: "e".repeat(1001), ..fine.clone() }).await, "client_id");
    assert_eq!(field(Agreed { client_id: String::new(), ..fine.clone() }).await, "client_id");
    assert_eq!(field(Agreed { client_name: "e".repeat(201), ..fine.clone() }).await, "client_name");
    let many = (0..101).map(|number| number.to_string()).collect();
    assert_eq!(field(Agreed { scopes: many, ..fine }).await, "scopes");
}
