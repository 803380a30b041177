use ledger::AuditKind;

const DOCUMENT: &str = include_str!("../../../../docs/audit.md");

#[test]
fn every_kind_of_event_is_documented_with_its_outcome() {
    for kind in AuditKind::ALL {
        let outcome = serde_json::to_value(kind.outcome()).unwrap();
        let begin = format!("| `{}` | {} | ", kind.as_str(), outcome.as_str().unwrap());
        let rows = DOCUMENT.lines().filter(|line| line.starts_with(&begin)).count();
        assert_eq!(rows, 1, "{begin}");
    }
}
