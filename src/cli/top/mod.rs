//! `riftsync top`: a running engine as a screen that keeps itself up to date.
//!
//! `feed` asks the engine, as any client of the control socket does, and comes back when the engine
//! does; [`crate::model::snapshot`] is what it said; `app` is what a person has chosen and what a key means; `view`
//! draws both. `app` and `view` are pure: no clock, no terminal, no socket.
//!
//! Deliberately absent: anything that the socket does not tell everybody.

mod app;
mod feed;
mod rows;
mod screen;
#[cfg(test)]
mod tests;
mod view;

use std::io::IsTerminal;
use std::time::Duration;

use crossterm::event::{Event, EventStream};
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use self::app::{App, Step};
use self::feed::Told;
use self::screen::Screen;
use super::CliError;
use super::remote::Reach;
use super::terminal::stop_signal;
use crate::model::Timestamp;

/// How often times on the screen are counted on.
const TICK: Duration = Duration::from_secs(1);
/// Orders of an impatient finger that wait for the engine; more are dropped.
const ORDERS_MAX: usize = 16;
/// What the feed has told and the screen has not yet taken.
const TOLD_MAX: usize = 4;

/// Shows the engine until the person has seen enough.
pub async fn top(reach: Reach) -> Result<(), CliError> {
    if reach.json || !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        let why = "top is for people at a terminal. Programs ask `riftsync status --json`, or the control \
                   socket's engine.metrics";
        return Err(CliError::Usage(why.to_owned()));
    }
    // Whoever starts it with no engine there is told so before the screen is taken.
    let engine = reach.engine().await?;
    let mut screen = Screen::open()
        .map_err(|error| CliError::Usage(format!("the terminal cannot be used: {error}")))?;
    let (commands, ordered) = mpsc::channel(ORDERS_MAX);
    let (tell, told) = mpsc::channel(TOLD_MAX);
    // The feed ends with this function, also in the middle of a question.
    tokio::select! {
        () = feed::feed(reach, engine, ordered, tell) => Ok(()),
        outcome = show(&mut screen, told, &commands) => outcome,
        () = stop_signal() => Ok(()),
    }
}

async fn show(
    screen: &mut Screen,
    mut told: mpsc::Receiver<Told>,
    commands: &mpsc::Sender<app::ControlCommand>,
) -> Result<(), CliError> {
    let lost = |error| CliError::Usage(format!("the terminal is gone: {error}"));
    let mut app = App::default();
    let mut events = EventStream::new();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        screen
            .draw(|frame| view::draw(frame, &app, Timestamp::now()))
            .map_err(lost)?;
        tokio::select! {
            Some(told) = told.recv() => app.on_told(told, Timestamp::now()),
            event = events.next() => match event {
                Some(Ok(Event::Key(key))) => match app.on_key(key) {
                    Step::Stay => {}
                    Step::Quit => return Ok(()),
                    Step::Do(command) => if commands.try_send(command).is_err() {
                        app.say_busy();
                    },
                },
                // Another size: drawn anew above.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(lost(error)),
                None => return Ok(()),
            },
            _ = ticks.tick() => {}
        }
    }
}
