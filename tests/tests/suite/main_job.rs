use std::time::Duration;

use anyhow::Result;
use e2e::{Reporter, World, main_job};

struct Steps(Vec<String>);

impl Reporter for Steps {
    fn done(&mut self, step: &str, _took: Duration) {
        self.0.push(step.to_owned());
    }
}

#[tokio::test]
async fn the_main_job_gets_to_its_end() -> Result<()> {
    let world = World::attach()?;
    let mut steps = Steps(Vec::new());
    main_job::run_with(&world.info, &mut steps).await?;
    let last = steps.0.last().map(String::as_str);
    assert_eq!(last, Some("replaying an old refresh token kills its session"));
    Ok(())
}
