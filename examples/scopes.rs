//! A library takes a registry and does not care where its metrics end up: the caller gives it a scope, with a prefix and
//! labels of its own.
//!
//!     cargo run --example scopes -p openmetrics-examples

use openmetrics::format::{Format, encode};
use openmetrics::instrument::Counter;
use openmetrics::registry::Registry;

/// Somebody's library: a database client that counts its queries.
struct Client {
    queries: Counter,
}

impl Client {
    fn new(registry: &Registry) -> Result<Self, openmetrics::Error> {
        Ok(Self { queries: registry.counter("queries", "Queries sent.")? })
    }
    fn query(&self) {
        self.queries.inc();
    }
}

fn main() -> Result<(), openmetrics::Error> {
    let registry = Registry::new();
    let shop = registry.scope("shop");
    let orders = Client::new(&shop.scope("orders_db").with_labels([("zone", "a")])?)?;
    let stock = Client::new(&shop.scope("stock_db"))?;
    orders.query();
    stock.query();
    stock.query();

    // The same client twice in the same scope would be two metrics of one name.
    let error = Client::new(&shop.scope("stock_db")).err().map(|error| error.to_string());
    println!("{}\n", error.unwrap_or_default());

    let mut page = Vec::new();
    encode(&registry, Format::OPENMETRICS_1_0, &mut page);
    print!("{}", String::from_utf8_lossy(&page));
    Ok(())
}

// Output:
// family "shop_stock_db_queries": there is a family "shop_stock_db_queries" already [OM1-FAM-01]
//
// # TYPE shop_orders_db_queries counter
// # HELP shop_orders_db_queries Queries sent.
// shop_orders_db_queries_total{zone="a"} 1
// # TYPE shop_stock_db_queries counter
// # HELP shop_stock_db_queries Queries sent.
// shop_stock_db_queries_total 2
// # EOF
