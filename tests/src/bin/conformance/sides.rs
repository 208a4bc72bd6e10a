//! The two sides: each a fresh broker and the tools that talk to it.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use tests::transcripts::{Transcript, printable};

/// What a command said; bytes that are no text are shown as `\xff`.
pub(crate) struct Said {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) exit: i32,
}

pub(crate) trait Side {
    /// Runs a command to its end.
    fn run(&mut self, transcript: &Transcript) -> Said;
}

/// Where the files lie that command lines name.
fn place() -> PathBuf {
    vectors::path("tools")
}

fn conformance(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("conformance")
        .join(file)
}

/// Free ports of four digits, as 9092 has them, so that columns are as wide; others for each process that looks.
fn ports<const N: usize>() -> [u16; N] {
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let from = 6000 + u16::try_from(std::process::id() % 300 * 10).unwrap_or_default();
    let mut found = (from..9999).filter(free);
    std::array::from_fn(|_| found.next().expect("a free port"))
}

/// The words of a command with another port.
fn words(transcript: &Transcript, port: u16) -> Vec<String> {
    let words = client::tools::split_line(&transcript.command).expect("a shell takes this line");
    let there = format!("localhost:{port}");
    let moved = |word: String| word.replace("localhost:9092", &there);
    words.into_iter().map(moved).collect()
}

fn said(port: u16, stdout: &[u8], stderr: &[u8], exit: i32) -> Said {
    let text = |bytes: &[u8]| {
        let text = printable(bytes);
        let text = text.replace(&format!("localhost:{port}"), "localhost:9092");
        text.replace(&format!("127.0.0.1:{port}"), "127.0.0.1:9092")
    };
    Said {
        stdout: text(stdout),
        stderr: text(stderr),
        exit,
    }
}

/// A Java class of the classpath below `libs`, at the vectors.
fn java(libs: &Path) -> Command {
    let mut java = Command::new("java");
    let log = conformance("log4j2.properties");
    java.args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m"])
        .args(["-Dfile.encoding=UTF-8", "-Duser.timezone=UTC"])
        .arg(format!("-Dlog4j2.configurationFile={}", log.display()))
        .arg("-cp")
        .arg(libs.join("*"))
        .current_dir(place());
    java
}

/// A real Kafka, and one process that runs its tools.
pub(crate) struct Kafka {
    port: u16,
    directory: PathBuf,
    broker: Child,
    tools: Child,
    ask: BufWriter<ChildStdin>,
    hear: BufReader<ChildStdout>,
}

impl Kafka {
    pub(crate) fn start(libs: &Path) -> Kafka {
        let [port, controller] = ports();
        let directory = std::env::temp_dir().join(format!("conformance-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory for Kafka");
        let file = directory.join("server.properties");
        let text = properties(port, controller, &directory);
        std::fs::write(&file, text).expect("Kafka's properties");
        let formatted = java(libs)
            .args(["kafka.tools.StorageTool", "format", "--standalone"])
            .args(["-t", "4L6g3nShT-eMCtK--X86sw", "-c"])
            .arg(&file)
            .stdout(Stdio::null())
            .status();
        assert!(
            formatted.expect("Java 17").success(),
            "Kafka's directory is not formatted"
        );
        let broker = java(libs)
            .arg("kafka.Kafka")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Kafka");
        let mut tools = java(libs)
            .arg(conformance("Tools.java"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Kafka's tools");
        let ask = BufWriter::new(tools.stdin.take().expect("piped"));
        let hear = BufReader::new(tools.stdout.take().expect("piped"));
        let mut kafka = Kafka {
            port,
            directory,
            broker,
            tools,
            ask,
            hear,
        };
        let there = format!("localhost:{port}");
        let list = ["kafka-topics", "--bootstrap-server", &there, "--list"].map(str::to_string);
        let listed = kafka.call(&list, b"").expect("Kafka's tools");
        assert_eq!(listed.exit, 0, "Kafka does not start: {}", listed.stderr);
        kafka
    }

    fn call(&mut self, words: &[String], stdin: &[u8]) -> std::io::Result<Said> {
        let (tool, rest) = words.split_first().expect("a tool");
        self.text(class(tool))?;
        self.number(rest.len())?;
        for word in rest {
            self.text(word)?;
        }
        self.number(stdin.len())?;
        self.ask.write_all(stdin)?;
        self.ask.flush()?;
        let exit = self.heard()?;
        let (stdout, stderr) = (self.bytes()?, self.bytes()?);
        Ok(said(self.port, &stdout, &stderr, exit))
    }

    fn text(&mut self, text: &str) -> std::io::Result<()> {
        let length = u16::try_from(text.len()).map_err(std::io::Error::other)?;
        self.ask.write_all(&length.to_be_bytes())?;
        self.ask.write_all(text.as_bytes())
    }

    fn number(&mut self, number: usize) -> std::io::Result<()> {
        let number = i32::try_from(number).map_err(std::io::Error::other)?;
        self.ask.write_all(&number.to_be_bytes())
    }

    fn heard(&mut self) -> std::io::Result<i32> {
        let mut bytes = [0; 4];
        self.hear.read_exact(&mut bytes)?;
        Ok(i32::from_be_bytes(bytes))
    }

    fn bytes(&mut self) -> std::io::Result<Vec<u8>> {
        let length = usize::try_from(self.heard()?).map_err(std::io::Error::other)?;
        let mut bytes = vec![0; length];
        self.hear.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl Side for Kafka {
    fn run(&mut self, transcript: &Transcript) -> Said {
        let words = words(transcript, self.port);
        let stdin = transcript.stdin.clone().unwrap_or_default();
        self.call(&words, &stdin).expect("Kafka's tools")
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        for child in [&mut self.tools, &mut self.broker] {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn class(tool: &str) -> &'static str {
    match tool {
        "kafka-topics" => "org.apache.kafka.tools.TopicCommand",
        "kafka-console-producer" => "org.apache.kafka.tools.ConsoleProducer",
        "kafka-console-consumer" => "org.apache.kafka.tools.consumer.ConsoleConsumer",
        "kafka-consumer-groups" => "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
        "kafka-get-offsets" => "org.apache.kafka.tools.GetOffsetShell",
        "kafka-configs" => "kafka.admin.ConfigCommand",
        "kafka-delete-records" => "org.apache.kafka.tools.DeleteRecordsCommand",
        "kafka-groups" => "org.apache.kafka.tools.GroupsCommand",
        other => panic!("{other} has no class here"),
    }
}

fn properties(port: u16, controller: u16, directory: &Path) -> String {
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.bootstrap.servers=localhost:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://localhost:{port}\n\
         inter.broker.listener.name=PLAINTEXT\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
         log.dirs={}\n\
         offsets.topic.replication.factor=1\n\
         offsets.topic.num.partitions=5\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         share.coordinator.state.topic.replication.factor=1\n\
         share.coordinator.state.topic.min.isr=1\n\
         group.initial.rebalance.delay.ms=0\n",
        directory.join("logs").display()
    )
}

/// Brooklet's server and its tools, a process for each command.
pub(crate) struct Brooklet {
    program: PathBuf,
    port: u16,
    server: Child,
}

impl Brooklet {
    pub(crate) fn start(program: &Path) -> Brooklet {
        let [port] = ports();
        let mut server = Command::new(program)
            .args(["serve", "--memory", "--listen"])
            .arg(format!("localhost:{port}"))
            .args(["--override", "group.initial.rebalance.delay.ms=0"])
            .args(["--override", "offsets.topic.num.partitions=5"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Brooklet");
        let mut ready = String::new();
        let mut stdout = BufReader::new(server.stdout.take().expect("piped"));
        stdout.read_line(&mut ready).expect("Brooklet is ready");
        assert!(ready.starts_with("ready "), "Brooklet does not start");
        let mut brooklet = Brooklet {
            program: program.to_path_buf(),
            port,
            server,
        };
        // With eligible leader replicas, which Brooklet has not, Kafka writes this into a new metadata log.
        let there = format!("localhost:{port}");
        let words = [
            "kafka-configs",
            "--bootstrap-server",
            &there,
            "--alter",
            "--broker-defaults",
        ];
        let set = ["--add-config", "min.insync.replicas=1"];
        let words = words.into_iter().chain(set).map(str::to_string);
        let set = brooklet.call(words.collect(), b"");
        assert_eq!(set.exit, 0, "{}", set.stderr);
        brooklet
    }

    fn call(&mut self, words: Vec<String>, stdin: &[u8]) -> Said {
        // What a real Kafka's tool does not wait for is not waited for here.
        let mut tool = Command::new("timeout")
            .args(["--signal=KILL", "90"])
            .arg(&self.program)
            .args(words)
            .current_dir(place())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Brooklet's tool");
        let mut pipe = tool.stdin.take().expect("piped");
        // A tool that refuses its words does not read.
        let _ = pipe.write_all(stdin);
        drop(pipe);
        let output = tool.wait_with_output().expect("Brooklet's tool");
        let exit = output.status.code().unwrap_or(-1);
        said(self.port, &output.stdout, &output.stderr, exit)
    }
}

impl Side for Brooklet {
    fn run(&mut self, transcript: &Transcript) -> Said {
        let stdin = transcript.stdin.clone().unwrap_or_default();
        self.call(words(transcript, self.port), &stdin)
    }
}

impl Drop for Brooklet {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
