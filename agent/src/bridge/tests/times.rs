//! How long the runtime took, and what is said when it was not asked.

use super::*;
use crate::logging::captured::Log;

/// Where images are asked for.
const IMAGES: &str = "/runtime.v1.ImageService/ListImages";

#[tokio::test(start_paused = true)]
async fn the_time_told_is_the_runtimes_own_also_of_an_answer_that_is_shared() {
    let bridged = Bridged::start();
    bridged.containers().await.0.unwrap();
    bridged.clock.sleep(Duration::from_secs(60)).await;
    bridged
        .runtime
        .delay(Call::ListContainers, Duration::from_secs(3));
    let (first, took) = bridged.containers().await;
    assert!(first.is_ok() && (3.0..3.5).contains(&took), "{took} s");
    // Too soon to ask the runtime, which by now would be quick.
    bridged.runtime.delay(Call::ListContainers, Duration::ZERO);
    let start = bridged.clock.now();
    let (second, took) = bridged.containers().await;
    let waited = bridged.clock.now().saturating_sub(start).as_secs_f64();
    assert!(
        waited < 0.5,
        "it is there already, and came after {waited} s"
    );
    assert!(second.is_ok() && (3.0..3.5).contains(&took), "{took} s");
    assert_eq!(bridged.runtime.answered(Call::ListContainers), 2);
    bridged.clock.sleep(Duration::from_secs(10)).await;
    let (third, took) = bridged.containers().await;
    assert!(third.is_ok() && took < 0.5, "{took} s");
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_on_though_nobody_waits_and_none_waits_behind_it() {
    let bridged = Bridged::start();
    bridged
        .runtime
        .delay(Call::ListContainers, Duration::from_secs(20));
    for _ in 0..4 {
        let left = tokio::time::timeout(Duration::from_secs(4), bridged.containers()).await;
        assert!(left.is_err(), "it takes longer than that");
    }
    // Another kind would wait for what is not its own: it is told at once that the runtime was not asked.
    let start = bridged.clock.now();
    let mut image_service = ImageServiceClient::new(bridged.channel.clone());
    let busy = image_service.list_images(ListImagesRequest {}).await;
    let busy = busy.unwrap_err();
    assert_eq!(busy.code(), Code::Unavailable);
    assert!(busy.metadata().contains_key(NOT_ASKED), "{busy:?}");
    assert!(!busy.metadata().contains_key(TOOK), "{busy:?}");
    let waited = bridged.clock.now().saturating_sub(start).as_secs_f64();
    assert!(waited < 0.5, "{waited} s");
    assert_eq!(bridged.runtime.received(IMAGES), 0);
    bridged.clock.sleep(Duration::from_secs(5)).await;
    let images = image_service.list_images(ListImagesRequest {}).await;
    assert_eq!(images.unwrap().into_inner().images.len(), 500);
    assert_eq!(bridged.runtime.answered(Call::ListContainers), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_by_its_code_without_the_runtimes_words() {
    let bridged = Bridged::start();
    let words = "container web-7f of pod shop/web has no image registry.example/shop:1";
    let fault = Some(CallFault::Fail(words.to_owned()));
    bridged.runtime.fault(Call::ListContainers, fault);
    let failed = bridged.containers().await.0.unwrap_err();
    assert_eq!(failed.code(), Code::Unknown);
    assert_eq!(failed.message(), "the runtime failed");

    bridged.runtime.fault(Call::ListContainers, None);
    bridged.runtime.behave(Answers::Never);
    bridged.clock.sleep(Duration::from_secs(10)).await;
    let (hung, took) = bridged.containers().await;
    assert_eq!(hung.unwrap_err().code(), Code::DeadlineExceeded);
    assert!((40.0..41.0).contains(&took), "{took} s");

    bridged.runtime.behave(Answers::Always);
    bridged.clock.sleep(Duration::from_secs(10)).await;
    assert!(bridged.containers().await.0.is_ok(), "it answers again");
}

#[tokio::test(start_paused = true)]
async fn one_kind_that_fails_beside_others_that_work_is_logged_once() {
    let (log, _listening) = Log::listen();
    let bridged = Bridged::start();
    let fault = Some(CallFault::Fail("no such snapshotter".to_owned()));
    bridged.runtime.fault(Call::ListImages, fault);
    let mut images = ImageServiceClient::new(bridged.ready().await);
    for _ in 0..10 {
        bridged.containers().await.0.unwrap();
        images.list_images(ListImagesRequest {}).await.unwrap_err();
        bridged.clock.sleep(Duration::from_secs(10)).await;
    }
    assert_eq!(bridged.runtime.received(IMAGES), 10);
    assert_eq!(log.lines("cannot be asked"), 1);
    assert!(log.says("WARN", "call=\"ListImages\""));
    assert_eq!(log.lines("answers again"), 0);
    bridged.runtime.fault(Call::ListImages, None);
    images.list_images(ListImagesRequest {}).await.unwrap();
    assert_eq!(log.lines("answers again"), 1);
}
