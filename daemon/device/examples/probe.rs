//! Prints what [`perch_device::probe::probe`] finds: for the lab, and for a first look at a new board.

fn main() {
    let report = perch_device::probe::probe();
    for camera in &report.cameras {
        println!("camera {} ({})", camera.name(), camera.identity.bus_info);
        for format in &camera.formats {
            println!("  {} {} {:?}", format.fourcc, format.description, format.sizes);
        }
    }
    for encoder in &report.encoders {
        println!("encoder {encoder:?}");
    }
    for problem in &report.problems {
        println!("problem {problem:?}");
    }
    println!("contiguous memory {:?}", report.contiguous_memory);
}
