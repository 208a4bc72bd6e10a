//! How long it takes to make very many partitions, to stop with them, and to start again:
//!
//!     cargo run --release -p brooklet-bench --example partitions [PARTITIONS]

use server::{Console, Server, Settings, Storage};
use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread::JoinHandle;
use std::time::Instant;
use wire::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use wire::create_topics_response::CreateTopicsResponse;
use wire::{Message, RequestHeader, Str};

const VERSION: i16 = 7;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let asked = std::env::args().nth(1);
    let partitions: i32 = asked.map_or(Ok(9_999), |text| text.parse())?;
    let dir = std::env::temp_dir().join(format!("brooklet-partitions-{}", std::process::id()));
    let settings = Settings {
        port: 0,
        storage: Storage::Directory(dir.clone()),
        ..Settings::default()
    };
    let measured = measure(&settings, partitions);
    std::fs::remove_dir_all(dir)?;
    measured
}

fn measure(settings: &Settings, partitions: i32) -> Outcome<()> {
    let running = Running::start(settings)?;
    let began = Instant::now();
    let error_code = create(running.address, partitions)?;
    if error_code != 0 {
        return Err(format!(
            "{partitions} partitions are refused with the error code {error_code}"
        )
        .into());
    }
    println!("{partitions} partitions made in {:?}", began.elapsed());
    println!("stopped in {:?}", running.stop()?);
    let began = Instant::now();
    let running = Running::start(settings)?;
    println!("started in {:?}", began.elapsed());
    // Meanwhile the directories are made.
    let began = Instant::now();
    let Storage::Directory(dir) = &settings.storage else {
        return Ok(());
    };
    while std::fs::read_dir(dir)?.count() < usize::try_from(partitions)? {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    println!("all directories are there after {:?}", began.elapsed());
    println!("stopped in {:?}", running.stop()?);
    let began = Instant::now();
    let running = Running::start(settings)?;
    println!("started in {:?}", began.elapsed());
    println!("stopped in {:?}", running.stop()?);
    Ok(())
}

struct Running {
    address: std::net::SocketAddr,
    stopper: server::Stopper,
    thread: JoinHandle<std::io::Result<()>>,
}

impl Running {
    fn start(settings: &Settings) -> Outcome<Running> {
        let server = Server::start(settings, Console::to(|line| println!("{line}")))?;
        Ok(Running {
            address: server.address(),
            stopper: server.stopper(),
            thread: std::thread::spawn(move || server.run()),
        })
    }

    fn stop(self) -> Outcome<std::time::Duration> {
        let began = Instant::now();
        self.stopper.stop();
        self.thread
            .join()
            .map_err(|_| "the server's thread failed")??;
        Ok(began.elapsed())
    }
}

fn create(address: std::net::SocketAddr, partitions: i32) -> Outcome<i16> {
    let topic = CreatableTopic {
        name: Str::from("many"),
        num_partitions: partitions,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest {
        topics: vec![topic],
        timeout_ms: 60_000,
        ..CreateTopicsRequest::default()
    };
    let header = RequestHeader {
        api_key: CreateTopicsRequest::API_KEY,
        api_version: VERSION,
        correlation_id: 1,
        client_id: None,
    };
    let frame = wire::encode_request(&header, &request).map_err(|why| format!("{why:?}"))?;
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(&u32::try_from(frame.len())?.to_be_bytes())?;
    stream.write_all(&frame)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length))?];
    stream.read_exact(&mut answer)?;
    let decoded = wire::decode_response::<CreateTopicsResponse>(answer.into(), VERSION);
    let (_, answer) = decoded.map_err(|why| format!("{why:?}"))?;
    Ok(answer.topics.first().map_or(-1, |topic| topic.error_code))
}
