//! The pages of a player's year and of a match, as HTTP has them.

use reqwest::StatusCode;

use super::pages::Browser;
use super::*;

#[tokio::test]
async fn a_players_year_is_a_page_with_a_link_to_it_and_its_zone_can_be_chosen() {
    let setup = setup(12).await;
    let synced = run(setup.sync()).await;
    assert!(synced.status.success(), "{}", text(&synced));
    let (_served, browser) = setup.in_a_browser(&[]).await;
    let player = browser.html("/player?riot_id=Quiet%20Otter%23SIM").await;
    let (_, link) = player.split_once("href=\"/player/").unwrap();
    let link = format!("/player/{}", link.split_once('"').unwrap().0);
    let page = browser.html(&format!("{link}?timezone=Asia/Seoul")).await;
    assert!(
        page.contains("Day by day") && page.contains("those of Asia/Seoul"),
        "{page}"
    );
    assert!(
        !page.contains(" style=") && !page.contains("<style"),
        "inline style is not let through"
    );
    let style = page
        .split("href=\"")
        .find(|link| link.contains("/year.css"))
        .unwrap();
    let style = browser.get(style.split_once('"').unwrap().0).await;
    assert_eq!(style.status(), StatusCode::OK);
    let (_, link_to_match) = page.split_once("href=\"/match/").unwrap();
    let of_match = format!("/match/{}", link_to_match.split_once('"').unwrap().0);
    let page = browser.html(&of_match).await;
    assert!(
        page.contains("Gold lead by minute") && page.contains("those of Asia/Seoul"),
        "{page}"
    );
    assert!(
        page.contains(&format!("href=\"{link}?timezone=Asia%2FSeoul")),
        "{page}"
    );
    assert!(
        !page.contains(" style=") && !page.contains("<script>"),
        "{page}"
    );
    for (path, status) in [
        ("/match/KR_1", StatusCode::NOT_FOUND),
        ("/match/%3Cscript%3E", StatusCode::BAD_REQUEST),
        ("/player/KR/Nobody-X/2025", StatusCode::NOT_FOUND),
        ("/player/KR/Faker/2025", StatusCode::NOT_FOUND),
        ("/player/KR/Faker-KR1/never", StatusCode::NOT_FOUND),
        (
            "/player/KR/Quiet%20Otter-SIM/2025?timezone=nope",
            StatusCode::BAD_REQUEST,
        ),
    ] {
        assert_eq!(browser.get(path).await.status(), status, "{path}");
    }
    let stranger = Browser::stranger(&browser.base);
    for page in [&link, &of_match] {
        assert_eq!(stranger.get(page).await.status(), StatusCode::UNAUTHORIZED);
    }
}
