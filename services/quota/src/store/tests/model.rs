//! The store against a model that adds up reservations one by one.

use plexus_runtime::stores::database::Database;
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use super::*;
use crate::reservation::State;

/// Runs of steps on each engine; each has up to 40 of them.
const RUNS: usize = 12;
const LIMIT: i64 = 60;
const WALLET: i64 = 50;

#[derive(Clone, Debug)]
enum Step {
    Reserve { tokens: i64, micros: i64 },
    Extend { which: usize, tokens: i64 },
    Commit { which: usize, tokens: i64, micros: i64 },
    Release { which: usize },
    Wait { seconds: i64 },
}

/// What the model knows of a reservation.
struct Known {
    id: String,
    tokens: i64,
    micros: i64,
    spent: Option<(i64, i64)>,
    expire_time_us: i64,
    state: State,
}

impl Known {
    fn may_commit(&self, spent: (i64, i64)) -> bool {
        match self.state {
            State::Pending => true,
            State::Posted => self.spent == Some(spent),
            State::Voided => false,
            State::Expired => self.spent.is_none() || self.spent == Some(spent),
        }
    }

    fn may_release(&self) -> bool {
        self.state != State::Posted && self.spent.is_none()
    }
}

#[derive(Default)]
struct Model {
    reservations: Vec<Known>,
}

impl Model {
    fn expire(&mut self, now_us: i64) {
        for known in &mut self.reservations {
            if known.state == State::Pending && known.expire_time_us <= now_us {
                known.state = State::Expired;
            }
        }
    }

    fn pending(&self) -> (i64, i64) {
        let pending = self.reservations.iter().filter(|known| known.state == State::Pending);
        pending.fold((0, 0), |(tokens, micros), known| (tokens + known.tokens, micros + known.micros))
    }

    fn posted(&self) -> (i64, i64) {
        let spent = self.reservations.iter().filter_map(|known| known.spent);
        spent.fold((0, 0), |sum, spent| (sum.0 + spent.0, sum.1 + spent.1))
    }

    fn fits(&self, tokens: i64, micros: i64) -> bool {
        let (pending, posted) = (self.pending(), self.posted());
        (tokens == 0 || pending.0 + posted.0 + tokens <= LIMIT)
            && (micros == 0 || WALLET - pending.1 - posted.1 >= micros)
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0i64..20, 0i64..16).prop_map(|(tokens, micros)| Step::Reserve { tokens, micros }),
        2 => (0usize..6, 1i64..15).prop_map(|(which, tokens)| Step::Extend { which, tokens }),
        3 => (0usize..6, 0i64..25, 0i64..18)
            .prop_map(|(which, tokens, micros)| Step::Commit { which, tokens, micros }),
        1 => (0usize..6).prop_map(|which| Step::Release { which }),
        1 => (1i64..200).prop_map(|seconds| Step::Wait { seconds }),
    ];
    proptest::collection::vec(step, 5..40)
}

#[tokio::test]
async fn the_store_does_what_a_model_says() {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    for _ in 0..RUNS {
        let steps = steps().new_tree(&mut runner).unwrap().current();
        each_engine_of_run(&steps).await;
    }
}

async fn each_engine_of_run(steps: &[Step]) {
    each_engine::<Quota, _, _>(|database| run(database, steps.to_vec())).await;
}

async fn run(database: Database, steps: Vec<Step>) {
    let bench = Bench::new(database);
    bench.set_limit(Meter::Tokens, Window::Month, LIMIT).await;
    bench.top_up(WALLET).await;
    let (mut model, mut now_us) = (Model::default(), NOW_US);
    for step in &steps {
        take(&bench, &mut model, &mut now_us, step).await;
        let (pending, posted) = (model.pending(), model.posted());
        let told = format!("after {step:?} of {steps:?}");
        assert_eq!(bench.spent(Meter::Tokens, Window::Month, now_us).await, (posted.0, pending.0), "{told}");
        let wallet = bench.store.wallet(ALICE).await.unwrap().unwrap();
        let money = (wallet.available_micros, wallet.held_micros);
        assert_eq!(money, (WALLET - pending.1 - posted.1, pending.1), "{told}");
    }
    bench.check_books().await;
}

async fn take(bench: &Bench, model: &mut Model, now_us: &mut i64, step: &Step) {
    match *step {
        Step::Wait { seconds } => {
            *now_us += seconds * SECOND_US;
            bench.expire(*now_us).await.unwrap();
            model.expire(*now_us);
        }
        Step::Reserve { tokens, micros } => {
            let outcome = bench.reserve(&[(Meter::Tokens, tokens), (Meter::Money, micros)], *now_us).await;
            assert_eq!(outcome.is_ok(), model.fits(tokens, micros), "{outcome:?}");
            if let Ok(id) = outcome {
                let expire_time_us = *now_us + 300 * SECOND_US;
                model.reservations.push(Known {
                    id,
                    tokens,
                    micros,
                    spent: None,
                    expire_time_us,
                    state: State::Pending,
                });
            }
        }
        Step::Extend { which, tokens } => {
            let fits = model.fits(tokens, 0);
            let Some(known) = model.reservations.get_mut(which) else { return };
            let amounts = Amounts::of(&[(Meter::Tokens, tokens)]);
            let extension = Extension { reservation_id: known.id.clone(), amounts, ttl_us: 400 * SECOND_US };
            let outcome = bench.store.extend(write("Extend", *now_us), extension, |_| ()).await;
            assert_eq!(outcome.is_ok(), known.state == State::Pending && fits, "{outcome:?}");
            if outcome.is_ok() {
                known.tokens += tokens;
                known.expire_time_us = known.expire_time_us.max(*now_us + 400 * SECOND_US);
            }
        }
        Step::Commit { which, tokens, micros } => {
            let Some(known) = model.reservations.get_mut(which) else { return };
            let spent = [(Meter::Tokens, tokens), (Meter::Money, micros)];
            let outcome = bench.commit(&known.id, &spent, *now_us).await;
            assert_eq!(outcome.is_ok(), known.may_commit((tokens, micros)), "{outcome:?}");
            if outcome.is_ok() {
                known.spent = Some((tokens, micros));
                known.state = if known.state == State::Expired { State::Expired } else { State::Posted };
            }
        }
        Step::Release { which } => {
            let Some(known) = model.reservations.get_mut(which) else { return };
            let outcome = bench.release(&known.id, *now_us).await;
            assert_eq!(outcome.is_ok(), known.may_release(), "{outcome:?}");
            if known.state == State::Pending {
                known.state = State::Voided;
            }
        }
    }
}
