//! Graphics cards of AMD, from `/sys/class/drm/card0/device/`: `uevent` says whose driver it is, other files hold a
//! number or a word each.

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::{gauge, info};
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host, KeptFiles};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "drm",
    enabled: false,
    about: "graphics cards of AMD: load and memory",
    flags: &[],
    build: |_| {
        let mut files = KeptFiles::default();
        Ok(Reader::boxed(move |host, out| read(host, &mut files, out)))
    },
};

static CARD: Descriptor = info("node_drm_card_info", "What is known of a card.");
static NUMBERS: [(&str, Descriptor); 7] = [
    ("gpu_busy_percent", gauge("node_drm_gpu_busy_percent", "How busy the card is, of 100.")),
    (
        "mem_info_gtt_total",
        gauge("node_drm_memory_gtt_size_bytes", "Memory of the host that the card may use."),
    ),
    ("mem_info_gtt_used", gauge("node_drm_memory_gtt_used_bytes", "Memory of the host that the card uses.")),
    ("mem_info_vram_total", gauge("node_drm_memory_vram_size_bytes", "Memory of the card.")),
    ("mem_info_vram_used", gauge("node_drm_memory_vram_used_bytes", "Memory of the card in use.")),
    (
        "mem_info_vis_vram_total",
        gauge("node_drm_memory_vis_vram_size_bytes", "Memory of the card that the host can see."),
    ),
    (
        "mem_info_vis_vram_used",
        gauge("node_drm_memory_vis_vram_used_bytes", "Memory of the card that the host can see, in use."),
    ),
];

fn read(host: &mut Host, files: &mut KeptFiles, out: &mut Gathered) -> Result<(), Error> {
    files.begin();
    let all = host.sys("class/drm");
    for card in host.list(&all).unwrap_or_default() {
        // Connectors of a card have names such as card0-DP-1.
        if card.strip_prefix("card").is_none_or(|n| text::unsigned(n).is_none() || n.is_empty()) {
            continue;
        }
        let folder = all.join(&card).join("device");
        let driver = match files.line(&folder.join("uevent")) {
            Ok(text) => text,
            Err(error) => {
                host.note(error);
                continue;
            }
        };
        if !driver.contains("DRIVER=amdgpu") {
            continue;
        }
        // Not every card has every file; what is not there is empty or zero, as node_exporter has it.
        let mut line = |file: &str| files.line(&folder.join(file)).unwrap_or_default();
        let labels = [
            ("card", card.as_str()),
            ("memory_vendor", &line("mem_info_vram_vendor")),
            ("power_performance_level", &line("power_dpm_force_performance_level")),
            ("unique_id", &line("unique_id")),
            ("vendor", "amd"),
        ];
        out.point(&CARD, &labels, 1_u64);
        for (file, family) in &NUMBERS {
            let found = line(file);
            match text::unsigned(&found).filter(|_| !found.is_empty()) {
                Some(value) => out.point(family, &[("card", &card)], value),
                None if found.is_empty() => out.point(family, &[("card", &card)], 0_u64),
                None => host.note(Error::parse(&folder.join(file), "an unsigned integer", &found)),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;

    #[test]
    fn cards_of_amd() {
        let tree = Tree::new(
            "drm",
            &[
                ("sys/class/drm/card0/device/uevent", "DRIVER=amdgpu\nPCI_CLASS=30000\n"),
                ("sys/class/drm/card0/device/gpu_busy_percent", "4\n"),
                ("sys/class/drm/card0/device/mem_info_gtt_used", "many\n"),
                ("sys/class/drm/card0/device/mem_info_vram_vendor", "samsung\n"),
                ("sys/class/drm/card0-DP-1/status", "connected\n"),
                ("sys/class/drm/card1/device/uevent", "DRIVER=i915\n"),
                ("sys/class/drm/version", "drm 1.1.0\n"),
            ],
        );
        let mut kept = KeptFiles::default();
        let (told, problems) = tree.read(|host, out| read(host, &mut kept, out));
        assert_eq!(
            told.get(..3).unwrap_or_default(),
            [
                r#"node_drm_card{card="card0",memory_vendor="samsung",power_performance_level="",unique_id="",vendor="amd"} 1"#,
                r#"node_drm_gpu_busy_percent{card="card0"} 4"#,
                r#"node_drm_memory_gtt_size_bytes{card="card0"} 0"#,
            ]
        );
        assert_eq!(told.len(), 7);
        assert_eq!(
            problems,
            [r#"sys/class/drm/card0/device/mem_info_gtt_used: expected an unsigned integer, found "many""#]
        );
    }
}
