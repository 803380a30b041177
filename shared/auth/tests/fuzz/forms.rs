use oauth::form::Form;
use proptest::prelude::*;

use crate::fuzz;
use crate::mutation::{mutated, mutations};

const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

#[test]
fn a_form_that_is_read_says_each_thing_once_and_says_it_again() {
    let many: String = (0..64).map(|number| format!("p{number}=v&")).collect();
    let valid: Vec<_> = [
        "grant_type=refresh_token&refresh_token=ar1_abc&client_id=app&scope=a%20b",
        "token=eyJhbGciOiJFZERTQSJ9.e30.AAAA&token_type_hint=access_token&cascade=true",
        "resource=https%3A%2F%2Fone.example&resource=https%3A%2F%2Ftwo.example&a=&b=%C3%A9+%2B",
        &many,
        "",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    fuzz(&mutations(), |(which, mutations)| {
        let bytes = mutated(&valid, which, &mutations);
        let Ok(form) = Form::parse(FORM, &bytes) else { return Ok(()) };
        let names: Vec<&str> = form.names().collect();
        prop_assert!(names.len() <= 64);
        let mut written = form_urlencoded::Serializer::new(String::new());
        for (at, name) in names.iter().enumerate() {
            let repeated = names[..at].contains(name);
            prop_assert!(!repeated || ["resource", "audience"].contains(name), "{name}");
            let before = names[..at].iter().filter(|other| *other == name).count();
            let value = form.all(name).nth(before).unwrap();
            prop_assert!(!value.is_empty(), "an empty parameter is as if omitted");
            prop_assert_eq!(form.get(name), form.all(name).next());
            written.append_pair(name, value);
        }
        let again = Form::parse(FORM, written.finish().as_bytes());
        prop_assert!(again.is_ok_and(|again| again == form), "it is what it says");
        Ok(())
    });
}
