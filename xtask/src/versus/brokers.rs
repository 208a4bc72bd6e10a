//! The two brokers: started pinned on the first core, asked what they have spent, ended with the run.

use super::tools::Tools;
use crate::process::command;
use crate::trouble::{Outcome, Trouble};
use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The core of the brokers, as `taskset` names it; the clients have the other one.
const BROKER_CORE: &str = "0";
pub(crate) const CLIENT_CORE: &str = "1";
/// Longest wait for a broker's start.
const START_MAX: Duration = Duration::from_secs(60);
/// How the kernel counts processor time in `/proc`: its `USER_HZ`, the same on every Linux.
const TICKS_A_SECOND: f64 = 100.0;
/// Any id of a cluster that `StorageTool` takes.
const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qg";

/// A running broker.
pub(crate) struct Broker {
    pub(crate) name: &'static str,
    pub(crate) address: String,
    /// Where its logs are.
    data: PathBuf,
    /// The command that makes topics, ours for both.
    binary: PathBuf,
    child: Child,
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Broker {
    pub(crate) fn kafka(tools: &Tools, binary: &Path, folder: &Path) -> Outcome<Broker> {
        let (port, controller) = (free_port()?, free_port()?);
        let data = folder.join("kafka");
        let properties = folder.join("server.properties");
        let text = format!(
            "process.roles=broker,controller\nnode.id=1\n\
             controller.quorum.bootstrap.servers=127.0.0.1:{controller}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
             inter.broker.listener.name=PLAINTEXT\ncontroller.listener.names=CONTROLLER\n\
             listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
             log.dirs={}\noffsets.topic.replication.factor=1\n\
             transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
             share.coordinator.state.topic.replication.factor=1\n\
             share.coordinator.state.topic.min.isr=1\ngroup.initial.rebalance.delay.ms=0\n\
             log.segment.delete.delay.ms=300\n",
            data.display()
        );
        fs::write(&properties, text).map_err(|e| Trouble::io("write", &properties, e))?;
        let logging = folder.join("log4j2.properties");
        let text = "rootLogger.level=WARN\nrootLogger.appenderRef.s.ref=S\nappender.s.type=Console\n\
             appender.s.name=S\nappender.s.target=SYSTEM_ERR\nappender.s.layout.type=PatternLayout\n\
             appender.s.layout.pattern=[%d] %p %m (%c)%n\n";
        fs::write(&logging, text).map_err(|e| Trouble::io("write", &logging, e))?;
        let configured = format!("-Dlog4j2.configurationFile={}", logging.display());
        let mut format = command("java", &["-Xmx256m", &configured, "-cp", &tools.jars]);
        format.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID]);
        format.arg("--standalone").arg("-c").arg(&properties);
        crate::process::must_run("versus-format", &mut format)?;
        // As Kafka's own start script has it.
        let mut java = pinned("java", BROKER_CORE);
        java.args([
            "-Xms1G",
            "-Xmx1G",
            "-server",
            "-XX:+UseG1GC",
            "-XX:MaxGCPauseMillis=20",
        ]);
        java.args([
            "-XX:InitiatingHeapOccupancyPercent=35",
            "-XX:+ExplicitGCInvokesConcurrent",
        ]);
        java.args([&configured, "-cp", &tools.jars, "kafka.Kafka"]);
        java.arg(&properties);
        let address = format!("127.0.0.1:{port}");
        Broker::start("Kafka", java, address, binary, (folder, data))
    }

    pub(crate) fn ours(binary: &Path, folder: &Path) -> Outcome<Broker> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let mut serve = pinned(&binary.to_string_lossy(), BROKER_CORE);
        let data = folder.join("brooklet");
        serve.args(["serve", "--listen", &address, "--data"]);
        serve.arg(&data);
        serve.args(["--override", "group.initial.rebalance.delay.ms=0"]);
        Broker::start("Brooklet", serve, address, binary, (folder, data))
    }

    fn start(
        name: &'static str,
        mut program: Command,
        address: String,
        binary: &Path,
        (folder, data): (&Path, PathBuf),
    ) -> Outcome<Broker> {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).map_err(|e| Trouble::io("create", &log, e))?;
        let twin = file.try_clone().map_err(|e| Trouble::io("open", &log, e))?;
        program.stdin(Stdio::null()).stdout(file).stderr(twin);
        let child = program
            .spawn()
            .map_err(|e| Trouble::Failed(format!("could not start {name}: {e}.")))?;
        let mut broker = Broker {
            name,
            address,
            data,
            binary: binary.to_path_buf(),
            child,
        };
        let began = Instant::now();
        while TcpStream::connect(&broker.address).is_err() || broker.topics(&["--list"]).is_err() {
            let ended = broker.child.try_wait().is_ok_and(|status| status.is_some());
            if ended || began.elapsed() > START_MAX {
                let why = format!("{name} did not start; see {}.", log.display());
                return Err(Trouble::Failed(why));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(broker)
    }

    /// Seconds of processor time that it has spent.
    pub(crate) fn spent(&self) -> Outcome<f64> {
        let path = PathBuf::from(format!("/proc/{}/stat", self.child.id()));
        let text = fs::read_to_string(&path).map_err(|e| Trouble::io("read", &path, e))?;
        // The second field is the program's name in brackets, which may hold anything.
        let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks = rest.split_whitespace().skip(11).take(2);
        Ok(ticks
            .filter_map(|field| field.parse::<f64>().ok())
            .sum::<f64>()
            / TICKS_A_SECOND)
    }

    pub(crate) fn create(&mut self, topic: &str, partitions: u32) -> Outcome {
        let partitions = partitions.to_string();
        self.topics(&["--create", "--topic", topic, "--partitions", &partitions])
    }

    pub(crate) fn delete(&mut self, topic: &str) -> Outcome {
        self.topics(&["--delete", "--topic", topic])
    }

    /// Makes the system forget what it has in memory of a topic's segments.
    pub(crate) fn chill(&self, topic: &str) -> Outcome {
        let folders = fs::read_dir(&self.data).map_err(|e| Trouble::io("read", &self.data, e))?;
        for folder in folders.flatten().map(|entry| entry.path()) {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            if !name.starts_with(&format!("{topic}-")) {
                continue;
            }
            let files = fs::read_dir(&folder).map_err(|e| Trouble::io("read", &folder, e))?;
            let logs = files.flatten().map(|entry| entry.path());
            for log in logs.filter(|path| path.extension().is_some_and(|end| end == "log")) {
                // As dd's manual has it: nothing is copied, the cache of the whole file goes.
                let mut dd = command(
                    "dd",
                    &["oflag=nocache", "conv=notrunc,fdatasync", "count=0"],
                );
                dd.arg(format!("of={}", log.display()));
                crate::process::must_run("versus-chill", &mut dd)?;
            }
        }
        Ok(())
    }

    fn topics(&mut self, arguments: &[&str]) -> Outcome {
        let mut command = pinned(&self.binary.to_string_lossy(), CLIENT_CORE);
        command.args(["kafka-topics", "--bootstrap-server", &self.address]);
        let output = command.args(arguments).stdin(Stdio::null()).output();
        let output = output.map_err(|e| Trouble::Failed(format!("no kafka-topics: {e}.")))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(Trouble::Failed(format!(
                "{}: kafka-topics {}: {}{}",
                self.name,
                arguments.join(" "),
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            ))),
        }
    }
}

/// A program on one core.
pub(crate) fn pinned(program: &str, core: &str) -> Command {
    command("taskset", &["-c", core, program])
}

fn free_port() -> Outcome<u16> {
    let listener = TcpListener::bind("127.0.0.1:0");
    let address = listener.and_then(|listener| listener.local_addr());
    address
        .map(|address| address.port())
        .map_err(|e| Trouble::Failed(format!("there is no free port: {e}.")))
}
