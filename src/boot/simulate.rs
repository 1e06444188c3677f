//! The simulator: as a verb, and inside a simulated sync.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::json;

use crate::cli::terminal::stop_signal;
use crate::cli::{BehaviourArgs, CliError, Global, SimulateArgs, WorldArgs};
use crate::model::{Platform, RiotId, Timestamp, Year, counted};
use crate::simulator::{
    SIMULATED_KEY, SettingError, Simulator, SimulatorConfig, World, WorldConfig, read_limits,
};
use crate::store::Location;
use crate::store::world::Taken;

pub(super) async fn simulate(global: &Global, args: &SimulateArgs) -> Result<(), CliError> {
    let platform: Platform = args.platform.parse()?;
    let players: Vec<(RiotId, Platform)> = args
        .players
        .iter()
        .map(|text| Ok((text.parse()?, platform)))
        .collect::<Result<_, CliError>>()?;
    let names = players
        .iter()
        .map(|(id, _)| id.to_string())
        .collect::<Vec<_>>()
        .join(", ");
    let simulator = start_simulator(
        players,
        &args.world,
        Some(&args.behaviour),
        localhost(args.port),
    )
    .await?;
    let stopped = stop_signal();
    if global.json {
        let ready = json!({
            "ready": true, "pid": std::process::id(), "base_url": simulator.base_url(), "key": SIMULATED_KEY,
            "players": args.players, "platform": platform,
            "counters": format!("http://{}/__simulator/counters", simulator.addr()),
        });
        crate::outln!("{ready}");
    } else {
        say_simulated(args, &simulator, &names, platform);
    }
    stopped.await;
    simulator.stop().await;
    Ok(())
}

pub(super) fn say_simulated(
    args: &SimulateArgs,
    simulator: &Simulator,
    names: &str,
    platform: Platform,
) {
    crate::outln!("base URL   {}", simulator.base_url());
    crate::outln!("API key    {SIMULATED_KEY}");
    crate::outln!(
        "players    {names} on {platform}, {} a year",
        counted(args.world.matches.into(), "match", "matches")
    );
    crate::outln!("limits     {}", args.world.limits);
    for fault in &args.behaviour.faults {
        crate::outln!("fault      {fault}");
    }
    crate::outln!(
        "try        curl -H 'X-Riot-Token: {SIMULATED_KEY}' http://{}/{platform}/lol/status/v4/platform-data",
        simulator.addr()
    );
    crate::outln!(
        "counters   curl http://{}/__simulator/counters",
        simulator.addr()
    );
}

pub(super) async fn start_simulator(
    players: Vec<(RiotId, Platform)>,
    args: &WorldArgs,
    behaviour: Option<&BehaviourArgs>,
    listen: SocketAddr,
) -> Result<Simulator, CliError> {
    let app_limits = read_limits(&args.limits).map_err(|why| wrong_limits(&why))?;
    let kind = SimulatorConfig {
        listen,
        app_limits,
        ..SimulatorConfig::default()
    };
    let config = match behaviour {
        Some(behaviour) => behaviour.over(kind)?,
        None => kind,
    };
    let world = World::new(WorldConfig {
        seed: args.seed,
        players,
        matches_per_year: args.matches,
        last_year: Timestamp::now().year().unwrap_or(Year::FIRST),
        now: Timestamp::now(),
        ..WorldConfig::default()
    });
    Simulator::start(Arc::new(world), config)
        .await
        .map_err(|error| {
            CliError::Usage(format!(
                "the simulator cannot listen on {listen}: {error}. Choose another --port"
            ))
        })
}

/// What a world is called: everything that makes it another one. In these words, whatever the numbers: a database has
/// them stored.
fn world_name(player: &RiotId, platform: Platform, args: &WorldArgs) -> Result<String, CliError> {
    let limits = read_limits(&args.limits).map_err(|why| wrong_limits(&why))?;
    let limits: Vec<String> = limits
        .iter()
        .map(|(calls, seconds)| format!("{calls}:{seconds}"))
        .collect();
    let limits = if limits.is_empty() {
        "none".to_owned()
    } else {
        limits.join(",")
    };
    Ok(format!(
        "{player} on {platform}, seed {}, {} matches a year, limits {limits}",
        args.seed, args.matches
    ))
}

/// The options that make the world of a name again; none: it is another player's.
pub(super) fn world_options(world: &str, player: &RiotId) -> Option<String> {
    let rest = world.strip_prefix(&format!("{player} on "))?;
    let (_, rest) = rest.split_once(", seed ")?;
    let (seed, rest) = rest.split_once(", ")?;
    let (matches, limits) = rest.split_once(" matches a year, limits ")?;
    Some(format!(
        " --seed {seed} --matches {matches} --limits {limits}"
    ))
}

/// Gives a simulated world its database. The usual one is made anew if it belonged to another world; one that was named
/// is not.
pub(super) async fn take_database(
    database: &Location,
    player: &RiotId,
    platform: Platform,
    args: &WorldArgs,
    may_renew: bool,
) -> Result<(), CliError> {
    let world = world_name(player, platform, args)?;
    if let Taken::Renewed { was } = database.take_for_world(&world, may_renew).await? {
        let was = was.unwrap_or_else(|| "of an older version".to_owned());
        crate::errln!(
            "{database} held another simulated world ({was}). It was made anew for this one ({world}); to keep both, name \
             another file with --database"
        );
    }
    Ok(())
}

fn wrong_limits(why: &SettingError) -> CliError {
    CliError::Usage(format!("--limits: {why}"))
}

pub(super) fn localhost(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_of_a_world_are_read_from_its_name() {
        let player: RiotId = "A on B#KR".parse().unwrap();
        let args = WorldArgs {
            seed: 7,
            matches: 20,
            limits: "20:1,100:120".to_owned(),
        };
        let name = world_name(&player, "kr".parse().unwrap(), &args).unwrap();
        let options = " --seed 7 --matches 20 --limits 20:1,100:120";
        assert_eq!(world_options(&name, &player).as_deref(), Some(options));
        for (name, player) in [(&*name, "Other#KR"), ("a world", "A on B#KR")] {
            assert_eq!(world_options(name, &player.parse().unwrap()), None);
        }
    }
}
