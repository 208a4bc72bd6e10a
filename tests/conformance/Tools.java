import java.io.BufferedOutputStream;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs the console tools of Apache Kafka one after the other in one process, because a process for each takes a
 * second to start. A request on standard input: class, number of words, the words, what is piped in as length
 * and bytes. The answer on standard output: exit status, standard output and standard error as length and bytes.
 */
public class Tools {
    static volatile CompletableFuture<Integer> ended;
    static final List<Runnable> HOOKS = new ArrayList<>();

    public static void main(String[] none) throws Exception {
        DataInputStream requests = new DataInputStream(new FileInputStream(FileDescriptor.in));
        DataOutputStream answers = new DataOutputStream(new BufferedOutputStream(new FileOutputStream(FileDescriptor.out)));
        Exit.setExitProcedure((status, message) -> end(status));
        Exit.setHaltProcedure((status, message) -> end(status));
        Exit.setShutdownHookAdder((name, hook) -> HOOKS.add(hook));
        while (true) {
            String tool;
            try {
                tool = requests.readUTF();
            } catch (EOFException end) {
                return;
            }
            String[] words = new String[requests.readInt()];
            for (int i = 0; i < words.length; i++) {
                words[i] = requests.readUTF();
            }
            byte[] piped = new byte[requests.readInt()];
            requests.readFully(piped);
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            ByteArrayOutputStream err = new ByteArrayOutputStream();
            int status = run(tool, words, piped, out, err);
            answers.writeInt(status);
            for (byte[] bytes : new byte[][] {out.toByteArray(), err.toByteArray()}) {
                answers.writeInt(bytes.length);
                answers.write(bytes);
            }
            answers.flush();
        }
    }

    static int run(String tool, String[] words, byte[] piped, ByteArrayOutputStream out, ByteArrayOutputStream err)
            throws Exception {
        CompletableFuture<Integer> status = new CompletableFuture<>();
        ended = status;
        System.setIn(new ByteArrayInputStream(piped));
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
        Thread main = new Thread(() -> status.complete(call(tool, words)), "main");
        main.setDaemon(true);
        main.start();
        int code = status.get();
        for (Runnable hook : HOOKS) {
            hook.run();
        }
        HOOKS.clear();
        System.out.flush();
        System.err.flush();
        return code;
    }

    /** As System.exit does: what called it never goes on. */
    static void end(int status) {
        ended.complete(status);
        while (true) {
            LockSupport.park();
        }
    }

    static int call(String tool, String[] words) {
        try {
            Class.forName(tool).getMethod("main", String[].class).invoke(null, (Object) words);
            return 0;
        } catch (InvocationTargetException thrown) {
            System.err.print("Exception in thread \"main\" ");
            thrown.getCause().printStackTrace();
            return 1;
        } catch (ReflectiveOperationException none) {
            none.printStackTrace();
            return 126;
        }
    }
}
