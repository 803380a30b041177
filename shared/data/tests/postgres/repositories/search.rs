use data::model::EntityType;
use data::model::lists::Filter;
use data::model::search::{SearchFor, search};

use super::{Somewhere, any, new, once, value, verdict, window, world};

fn asked(words: &str) -> SearchFor {
    SearchFor { words: words.to_owned(), among: Filter::default(), facets: false }
}

#[tokio::test]
async fn a_search_finds_the_best_first_with_highlights_facets_and_filters() {
    let world = world().await;
    for (title, text) in [
        ("Nothing", "The brake, once in a long text about everything else that there is in a car."),
        ("Brake", "The brake of brakes."),
        ("Steering", "The wheel."),
    ] {
        let new = new(EntityType::Requirement, title).inside(&world.project);
        world.made(new.with(|fields| fields.description = Some(Some(text.to_owned())))).await;
    }
    let gone = world.task("Brake it").await;
    world.task("Fix the brake").await;
    value(data::model::entities::delete(&world.sql, &world.member, &any(&gone), &once()).await);

    let all = SearchFor { facets: true, ..asked("brakes") };
    let found = search(&world.sql, &world.viewer, &all, &window(9, None)).await.unwrap();
    let titles: Vec<_> = found.part.items.iter().map(|hit| hit.title.as_str()).collect();
    assert_eq!(titles, ["Brake", "Fix the brake", "Nothing"]);
    assert!(found.part.items.is_sorted_by(|a, b| a.rank >= b.rank));
    assert_eq!(found.part.items[0].highlight, "**brake** of **brakes**");
    let facets = found.facets.unwrap();
    assert_eq!((facets.types["requirement"], facets.types["task"]), (2, 1));
    assert_eq!((facets.statuses["draft"], facets.statuses["open"]), (2, 1));

    // In parts the same.
    let (mut read, mut after) = (Vec::new(), None);
    loop {
        let found = search(&world.sql, &world.viewer, &asked("brakes"), &window(1, after)).await;
        let found = found.unwrap();
        assert_eq!(found.facets, None);
        read.extend(found.part.items.into_iter().map(|hit| hit.title));
        after = found.part.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(read, titles);

    let mut tasks = asked("brake");
    tasks.among.types = vec!["task".to_owned()];
    let found = search(&world.sql, &world.viewer, &tasks, &window(9, None)).await.unwrap();
    assert_eq!(found.part.items.len(), 1);
    for words in ["brake -text", "\"brake of\"", "wheel or brakes -fix -once", "it's $1 '; drop"] {
        assert!(search(&world.sql, &world.viewer, &asked(words), &window(9, None)).await.is_ok());
    }
    for (_, who) in world.people().into_iter().skip(4) {
        let none = search(&world.sql, who, &all, &window(9, None)).await.unwrap();
        assert_eq!(none.part.items, []);
        assert!(none.facets.unwrap().types.is_empty());
    }
    for words in ["", " \n", "a\0", &"x".repeat(1001)] {
        let bad = search(&world.sql, &world.viewer, &asked(words), &window(9, None)).await;
        assert_eq!(verdict(&bad), "invalid words");
    }
    let bad = search(&world.sql, &world.viewer, &tasks, &window(9, Some("x".to_owned()))).await;
    assert_eq!(verdict(&bad), "invalid cursor");
}
