//! The page of a match: what it tells, and what it says where there is nothing to tell.

use super::*;

fn participant(id: i32, team_id: i32, champion: &str) -> Participant {
    Participant {
        id,
        riot_id: Some(format!("{champion}#X")),
        team_id,
        win: team_id == 100,
        champion: champion.to_owned(),
        damage: 1_000 * id,
        ..Participant::default()
    }
}

fn told() -> OneMatch {
    OneMatch {
        match_id: "KR_1".to_owned(),
        seconds: 1_900,
        map_id: 11,
        has_timeline: true,
        participants: vec![participant(1, 100, "Ahri"), participant(2, 200, "Zed")],
        ..OneMatch::default()
    }
}

#[test]
fn purchases_of_a_minute_stand_together_and_names_stand_for_numbers_where_they_are_known() {
    let mut one = told();
    one.item_names.insert(2_003, "Health Potion".to_owned());
    one.participants[0].purchases = vec![
        (1_056, Some(3_000)),
        (2_003, Some(4_000)),
        (2_003, Some(59_999)),
        (2_003, Some(60_000)),
        (7, None),
    ];
    let body = Body {
        told: &one,
        view: View::default(),
        leads: Vec::new(),
    };
    let lines = body.purchases(&one.participants[0]);
    let lines: Vec<(&str, &str)> = lines
        .iter()
        .map(|line| (&*line.minute, &*line.items))
        .collect();
    assert_eq!(
        lines,
        [
            ("0", "item 1056, Health Potion ×2"),
            ("1", "Health Potion"),
            ("–", "item 7")
        ]
    );
}

#[test]
fn what_was_not_read_is_told_with_its_remedy_and_has_no_empty_box() {
    let mut one = told();
    let page = match_body(&one, View::default());
    assert!(
        page.contains("<code>minutes</code>") && page.contains("<code>all</code>"),
        "{page}"
    );
    assert!(
        page.contains("riftsync replay") && !page.contains("<svg class=\"chart"),
        "{page}"
    );
    one.has_timeline = false;
    let page = match_body(&one, View::default());
    assert!(
        !page.contains("replay") && page.contains("A sync of a player"),
        "{page}"
    );
    one.participants[0].gold_by_minute = vec![Some(500), Some(900)];
    one.participants[1].gold_by_minute = vec![Some(500), Some(700)];
    one.events = vec![Event {
        kind: "CHAMPION_KILL".to_owned(),
        participant_id: Some(1),
        victim_id: Some(2),
        x: Some(5_000),
        y: Some(5_000),
        ..Event::default()
    }];
    let page = match_body(&one, View::default());
    assert!(page.contains("<td>+200<td>blue"), "{page}");
    assert!(page.contains("<th>Blue<td>1<td>1"), "{page}");
}

#[test]
fn teams_of_arena_stand_in_the_order_of_their_places() {
    let mut one = told();
    for (at, participant) in one.participants.iter_mut().enumerate() {
        participant.subteam_id = Some(3 - i32::try_from(at).unwrap());
        participant.placement = Some(2 - i32::try_from(at).unwrap());
    }
    let body = Body {
        told: &one,
        view: View::default(),
        leads: Vec::new(),
    };
    let names: Vec<String> = body.sides().into_iter().map(|side| side.name).collect();
    assert_eq!(names, ["Team 2 – place 1", "Team 3 – place 2"]);
}

#[test]
fn hostile_text_is_text_wherever_it_stands() {
    let hostile = "<script>\"'&\u{202e}";
    let mut one = told();
    one.match_id = hostile.to_owned();
    one.platform = hostile.to_owned();
    one.patch = Some(hostile.to_owned());
    one.item_names.insert(1, hostile.to_owned());
    for participant in &mut one.participants {
        participant.riot_id = Some(hostile.to_owned());
        participant.champion = hostile.to_owned();
        participant.position = hostile.to_owned();
        participant.items = vec![1];
        participant.purchases = vec![(1, Some(1))];
        participant.gold_by_minute = vec![Some(i32::MAX), Some(i32::MIN)];
        participant.damage = i32::MIN;
        participant.damage_kinds = [Some(i32::MAX), Some(i32::MIN), None];
    }
    for kind in [
        "CHAMPION_KILL",
        "BUILDING_KILL",
        "DRAGON_SOUL_GIVEN",
        hostile,
    ] {
        one.events.push(Event {
            at_ms: i64::MIN,
            kind: kind.to_owned(),
            participant_id: Some(1),
            victim_id: Some(2),
            team_id: Some(i32::MIN),
            assists: format!("1;{hostile};99999999999999999999"),
            x: Some(i32::MIN),
            y: Some(i32::MAX),
            about: hostile.to_owned(),
            about_more: hostile.to_owned(),
            lane: hostile.to_owned(),
        });
    }
    let to_player = |_: &str| Some("/player".to_owned());
    let view = View {
        to_player: Some(&to_player),
        ..View::default()
    };
    let page = match_body(&one, view);
    assert!(
        !page.contains("<script") && !page.contains('\u{202e}'),
        "{page}"
    );
    assert!(
        page.contains("<a href=\"/player\"><bdi>&#60;script&#62;"),
        "{page}"
    );
}
