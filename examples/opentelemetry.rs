//! What is measured with OpenTelemetry is on the same page as everything else, and Prometheus scrapes it without a collector between.
//!
//!     cargo run --example opentelemetry -p openmetrics-examples

use openmetrics::Registry;
use openmetrics::format::{Format, encode};
use openmetrics::otel::Bridge;
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::new();
    let ours = registry.counter("app_starts", "Times that the program was started.")?;
    ours.inc();

    let bridge = Bridge::new();
    let provider = SdkMeterProvider::builder()
        .with_reader(bridge.clone())
        .with_resource(
            Resource::builder_empty().with_attribute(KeyValue::new("service.name", "shop")).build(),
        )
        .build();
    bridge.register(&registry)?;

    let meter = provider.meter("checkout");
    let orders = meter.u64_counter("shop.orders").with_description("Orders taken.").build();
    orders.add(3, &[KeyValue::new("payment.kind", "card")]);
    let latency = meter.f64_histogram("shop.latency").with_unit("s").with_boundaries(vec![0.1, 1.0]).build();
    latency.record(0.25, &[]);

    let mut page = Vec::new();
    encode(&registry, Format::OPENMETRICS_1_0, &mut page);
    print!("{}", String::from_utf8_lossy(&page));
    Ok(())
}

// Output:
// # TYPE app_starts counter
// # HELP app_starts Times that the program was started.
// app_starts_total 1
// # TYPE shop_latency_seconds histogram
// # UNIT shop_latency_seconds seconds
// shop_latency_seconds_bucket{otel_scope_name="checkout",le="0.1"} 0
// shop_latency_seconds_bucket{otel_scope_name="checkout",le="1.0"} 1
// shop_latency_seconds_bucket{otel_scope_name="checkout",le="+Inf"} 1
// shop_latency_seconds_count{otel_scope_name="checkout"} 1
// shop_latency_seconds_sum{otel_scope_name="checkout"} 0.25
// # TYPE shop_orders counter
// # HELP shop_orders Orders taken.
// shop_orders_total{otel_scope_name="checkout",payment_kind="card"} 3
// # TYPE target info
// # HELP target What this is, as its resource says.
// target_info{service_name="shop"} 1
// # EOF
