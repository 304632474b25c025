//! Cards: rendered within their limits, exported the same each time.

use plexus_proto::card::v1::{Device, ExportCardRequest, RenderCardRequest, Template};
use serde_json::json;
use tonic::Code;

use crate::{Mesh, field, info, reason, samples, structure, templates};

#[tokio::test]
async fn each_kind_is_rendered_as_a_page_a_fragment_and_a_style_sheet() {
    let mesh = Mesh::start().await;
    for sample in samples::built_in() {
        let card = mesh.render("alice", sample.template_id, &sample.parameters).await.unwrap();
        assert!(
            card.html.starts_with("<!DOCTYPE html>")
                && card.html.contains(&card.fragment)
                && card.html.contains(&card.stylesheet)
        );
        assert!(card.html.contains("default-src 'none'") && !card.html.contains("<script"));
        assert!(card.fragment.starts_with("<div class=\"plexus-card\""));
        assert_eq!((card.template_id.as_str(), card.version), (sample.template_id, 1));
    }
}

#[tokio::test]
async fn a_device_fixes_the_width() {
    let mesh = Mesh::start().await;
    for (device, mark) in [
        (Device::Unspecified, None),
        (Device::Responsive, None),
        (Device::Phone, Some("phone")),
        (Device::Tablet, Some("tablet")),
        (Device::Desktop, Some("desktop")),
    ] {
        let request = RenderCardRequest {
            template_id: "info".to_owned(),
            parameters: Some(structure(&json!({"title": "x"}))),
            device: device.into(),
            ..RenderCardRequest::default()
        };
        let card = mesh.cards("alice").render_card(request).await.unwrap().into_inner();
        match mark {
            Some(mark) => assert!(card.fragment.contains(&format!("data-device=\"{mark}\""))),
            None => assert!(!card.fragment.contains("data-device")),
        }
    }
    let request =
        RenderCardRequest { template_id: "info".to_owned(), device: 9, ..RenderCardRequest::default() };
    assert_eq!(field(&mesh.cards("alice").render_card(request).await.unwrap_err()), "device");
}

#[tokio::test]
async fn values_that_do_not_fit_are_named() {
    let mesh = Mesh::start().await;
    for (parameters, path) in [
        (json!({}), "parameters.title"),
        (json!({"title": "x"}), "parameters.price"),
        (json!({"title": "x", "price": "free"}), "parameters.price"),
        (json!({"title": "x", "price": 1, "image": "javascript:alert(1)"}), "parameters.image"),
        (json!({"title": "x", "price": 1, "colour": "red"}), "parameters.colour"),
        (json!({"title": "x", "price": 1, "features": [1]}), "parameters.features[0]"),
    ] {
        let refused = mesh.render("alice", "product", &parameters).await.unwrap_err();
        assert_eq!(
            (refused.code(), reason(&refused).as_str(), field(&refused).as_str()),
            (Code::InvalidArgument, "PARAMETER_INVALID", path)
        );
    }
    assert_eq!(mesh.render("alice", "nope", &json!({})).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(mesh.render("alice", "A\u{0}", &json!({})).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn hostile_values_show_as_text() {
    let mesh = Mesh::start().await;
    let hostile = "\"><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}";
    let parameters = json!({"title": hostile, "price": 1, "features": [hostile], "image": "/x.png?\"><script>", "image_alt": hostile});
    let card = mesh.render("alice", "product", &parameters).await.unwrap();
    assert!(!card.html.contains("<script") && !card.html.contains("<img src=x") && !card.html.contains("49"));
    assert!(card.fragment.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

#[tokio::test]
async fn each_limit_is_held_and_named() {
    let mesh = Mesh::start().await;
    let mut template = templates::greeting();
    template.parameters[0].r#type = plexus_proto::card::v1::ParameterType::StringList.into();
    let body =
        "{% for a in name %}{% for b in name %}{% for c in name %}x{% endfor %}{% endfor %}{% endfor %}";
    let nested =
        templates::create(&mesh, "alice", "1", Template { source: body.to_owned(), ..template.clone() })
            .await
            .unwrap();
    let flat = "{% for a in name %}{{ name | join(sep=\"\") }}{% endfor %}";
    let flat = templates::create(&mesh, "alice", "2", Template { source: flat.to_owned(), ..template })
        .await
        .unwrap();
    for (template_id, parameters, limit) in [
        (&nested.template_id, json!({"name": vec!["x"; 1000]}), "steps"),
        (&flat.template_id, json!({"name": vec!["<".repeat(300); 100]}), "output_bytes"),
        (&flat.template_id, json!({"name": vec!["x".repeat(300); 1000]}), "parameters_bytes"),
    ] {
        let refused = mesh.render("alice", template_id, &parameters).await.unwrap_err();
        let (reason, metadata) = info(&refused);
        assert_eq!(
            (refused.code(), reason.as_str(), metadata["limit"].as_str()),
            (Code::InvalidArgument, "RENDER_LIMIT", limit)
        );
    }
    // The same template with little to do is rendered.
    mesh.render("alice", &nested.template_id, &json!({"name": ["a", "b"]})).await.unwrap();
}

#[tokio::test]
async fn an_export_is_the_same_each_time_and_called_as_asked() {
    let mesh = Mesh::start().await;
    let request = ExportCardRequest { template_id: "product".to_owned(), ..ExportCardRequest::default() };
    let first = mesh.cards("alice").export_card(request.clone()).await.unwrap().into_inner();
    let second = mesh.cards("bob").export_card(request.clone()).await.unwrap().into_inner();
    assert_eq!(first, second);
    assert_eq!((first.component_name.as_str(), first.file_name.as_str()), ("ProductCard", "ProductCard.tsx"));
    assert!(
        !first.tsx.contains("dangerouslySetInnerHTML")
            && first.tsx.contains("export interface ProductCardProps")
    );
    let named = ExportCardRequest { component_name: "Offer".to_owned(), ..request.clone() };
    let named = mesh.cards("alice").export_card(named).await.unwrap().into_inner();
    assert!(named.tsx.contains("export function Offer(") && named.file_name == "Offer.tsx");
    let wrong = ExportCardRequest { component_name: "a-b".to_owned(), ..request };
    assert_eq!(field(&mesh.cards("alice").export_card(wrong).await.unwrap_err()), "component_name");
}
