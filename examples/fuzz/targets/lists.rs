//! Lists of the API, and who somebody is.

use fastrand::Rng;
use riftsync::model::{MatchId, Platform, Puuid, RiotId};
use riftsync::riot::{
    Call, LeagueEntry, RiotError, parse_account, parse_league, parse_league_page, parse_match_ids,
    parse_region, parse_summoner,
};

use super::super::bytes;
use super::super::corpus::Corpus;
use super::super::json::{Json, any_value};
use super::is_showable;

const IDS: &str =
    r#"["EUW1_6834713231","KR_5904625990","EUW1_1",7,null,"EUW1_0","NA1_18446744073709551615"]"#;

fn puuid(rng: &mut Rng) -> String {
    let letter = rng.alphanumeric();
    std::iter::repeat_n(letter, Puuid::LEN).collect()
}

/// A list of so many entries.
fn list(rng: &mut Rng, entry: impl Fn(&mut Rng) -> String) -> String {
    let most = [1, 4, 30, 300, 3_000][rng.usize(..5)];
    let entries: Vec<String> = (0..rng.usize(..most)).map(|_| entry(rng)).collect();
    format!("[{}]", entries.join(","))
}

fn changed(text: String, rng: &mut Rng) -> Vec<u8> {
    let json = Json::of(text.into_bytes());
    let mut text = json.changed(rng, &json);
    match rng.u8(..32) {
        0 => bytes::change(&mut text, rng, b"RGAPI-"),
        1 => {
            text.clear();
            any_value(rng, 4, &mut text);
        }
        _ => {}
    }
    text
}

#[track_caller]
fn is_told(error: &RiotError) {
    is_showable(&error.to_string(), 400);
}

pub fn match_list(_: &Corpus, rng: &mut Rng) {
    let text = if rng.bool() {
        IDS.to_owned()
    } else {
        list(rng, |rng| format!("\"EUW1_{}\"", rng.u64(..)))
    };
    match parse_match_ids(&changed(text, rng)) {
        Ok((ids, _)) => {
            assert!(ids.len() <= 200);
            for id in ids {
                assert_eq!(id.to_string().parse::<MatchId>(), Ok(id));
                is_path(&Call::match_document(id));
                is_path(&Call::timeline(id));
            }
        }
        Err(error) => is_told(&error),
    }
}

pub fn ladder(_: &Corpus, rng: &mut Rng) {
    let entry = |rng: &mut Rng| {
        let points = rng.i32(..);
        format!(
            r#"{{"puuid":"{}","leaguePoints":{points},"rank":"I","wins":3}}"#,
            puuid(rng)
        )
    };
    let entries = list(rng, entry);
    let page = changed(entries.clone(), rng);
    let league = changed(
        format!(r#"{{"tier":"MASTER","queue":"RANKED_SOLO_5x5","entries":{entries}}}"#),
        rng,
    );
    for (read, most) in [
        (parse_league_page(&page), 2_000),
        (parse_league(&league), 50_000),
    ] {
        match read {
            Ok((entries, _)) => {
                assert!(entries.len() <= most);
                for LeagueEntry { puuid, .. } in entries.iter().take(20) {
                    is_path(&Call::summoner(puuid, Platform::Kr));
                }
            }
            Err(error) => is_told(&error),
        }
    }
}

pub fn account(_: &Corpus, rng: &mut Rng) {
    let text = format!(
        r#"{{"puuid":"{}","gameName":"Quiet Otter","tagLine":"SIM"}}"#,
        puuid(rng)
    );
    match parse_account(&changed(text, rng)) {
        Ok(account) => {
            is_path(&Call::account_of(&account.puuid, Platform::Kr));
            if let (Some(name), Some(tag)) = (account.game_name, account.tag_line) {
                match RiotId::new(&name, &tag) {
                    Ok(id) => {
                        assert_eq!(id.to_string().parse::<RiotId>().as_ref(), Ok(&id), "{id:?}");
                        is_path(&Call::account(&id, Platform::Kr));
                    }
                    Err(error) => is_showable(&error.to_string(), 400),
                }
            }
        }
        Err(error) => is_told(&error),
    }
    let text = r#"{"id":"x","profileIconId":588,"revisionDate":1700000000000,"summonerLevel":30}"#;
    if let Err(error) = parse_summoner(&changed(text.to_owned(), rng)) {
        is_told(&error);
    }
    let text = format!(
        r#"{{"puuid":"{}","game":"lol","region":"euw1"}}"#,
        puuid(rng)
    );
    if let Err(error) = parse_region(&changed(text, rng)) {
        is_told(&error);
    }
}

/// Nothing that came from outside leads anywhere else.
#[track_caller]
fn is_path(call: &Call) {
    let path = call.path();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~%?=&".contains(&byte);
    assert!(path.bytes().all(is_plain), "{path}");
    let mut steps = path.split(['/', '?']);
    assert!(!steps.any(|step| matches!(step, "." | "..")), "{path}");
    assert!(path.len() < 600, "{path}");
}
