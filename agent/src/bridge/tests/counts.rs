//! What is left of answers.

use nodegrace_proto::cri::{ListImagesResponse, VersionResponse};

use super::*;

#[test]
fn more_entries_than_a_node_can_have_are_an_error_and_not_less() {
    let told = |containers| ListContainersResponse {
        containers: vec![Container::default(); containers],
    };
    let most = bare::containers(&told(bare::MOST_ENTRIES)).unwrap();
    let most = ListContainersResponse::from(most);
    assert_eq!(most.containers.len(), bare::MOST_ENTRIES);
    let failed = bare::containers(&told(bare::MOST_ENTRIES + 1)).unwrap_err();
    assert_eq!(failed.code(), Code::OutOfRange);
}

#[test]
fn the_size_of_one_image_is_not_the_difference_of_two_answers() {
    let grain = bare::IMAGES_GRAIN;
    let told = |sizes: &[u64]| {
        let images = sizes.iter().map(|size| Image {
            size: *size,
            ..Image::default()
        });
        let images = images.collect();
        let bare = bare::images(&ListImagesResponse { images }).unwrap();
        let sizes = ListImagesResponse::from(bare).images.into_iter();
        sizes.map(|image| image.size).collect::<Vec<_>>()
    };
    assert_eq!(told(&[]), Vec::<u64>::new());
    assert_eq!(told(&[0]), [0]);
    assert_eq!(told(&[1]), [grain], "some is not none");
    assert_eq!(told(&[7 << 20, 12_345_678]), [grain, 0]);
    assert_eq!(told(&[grain, 1]), [2 * grain, 0]);
    assert_eq!(told(&[u64::MAX, 7]), [u64::MAX, 0], "what can be counted");
}

#[test]
fn of_the_runtimes_name_only_a_name_comes_through() {
    let told = VersionResponse {
        version: "0.1.0".into(),
        runtime_name: "cri o\n{\"pod\":\"web\"}".into(),
        runtime_version: "v".repeat(500),
        runtime_api_version: "v1".into(),
    };
    let bare = bare::version(&told);
    assert_eq!(bare.runtime_name, "criopodweb");
    assert_eq!(bare.runtime_version.len(), 64);
    assert!(bare.version.is_empty() && bare.runtime_api_version.is_empty());
}
