import io.aeron.Aeron;
import io.aeron.ExclusivePublication;
import io.aeron.FragmentAssembler;
import io.aeron.Publication;
import io.aeron.Subscription;
import io.aeron.driver.MediaDriver;
import io.aeron.driver.ThreadingMode;
import io.aeron.logbuffer.FragmentHandler;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.agrona.DirectBuffer;
import org.agrona.IoUtil;
import org.agrona.concurrent.SleepingMillisIdleStrategy;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Aeron IPC: exclusive publications, a driver inside the process that is there first, and both sides spin. The words are those of
 * peers/peer.h. System.nanoTime is CLOCK_MONOTONIC, which the other peers tell too.
 */
public final class Peer {
    /** Exchanges that are not told: the other side has only just been told, and the caches are somebody else's. */
    private static final int AT_FIRST = 32;
    private static final int MTU = 65504;
    private final boolean isFirst;
    private final boolean bothWays;
    private final int size;
    private final String directory;
    private MediaDriver driver;
    private Aeron aeron;
    private ExclusivePublication out;
    private Subscription in;
    private final UnsafeBuffer message;
    private final UnsafeBuffer seen;
    private long received;
    private long sum;
    private long at;
    private final FragmentHandler whole = this::take;
    private final FragmentHandler handler;

    private Peer(String role, int size, String name) {
        isFirst = role.equals("pong") || role.equals("receive");
        bothWays = role.startsWith("p");
        this.size = size;
        directory = "/dev/shm/" + name + "-aeron";
        message = new UnsafeBuffer(ByteBuffer.allocateDirect(size));
        seen = new UnsafeBuffer(ByteBuffer.allocateDirect(size));
        message.setMemory(0, size, (byte) 3);
        handler = size > MTU - 32 ? new FragmentAssembler(whole) : whole;
    }

    private void take(DirectBuffer buffer, int offset, int length, io.aeron.logbuffer.Header header) {
        seen.putBytes(0, buffer, offset, length);
        sum += seen.getLong(0) + seen.getLong(length / 2 / 8 * 8) + seen.getLong(length - 8);
        received++;
    }

    private void open() throws Exception {
        if (isFirst) {
            driver = MediaDriver.launchEmbedded(new MediaDriver.Context()
                .aeronDirectoryName(directory)
                .dirDeleteOnStart(true)
                .threadingMode(ThreadingMode.SHARED)
                .sharedIdleStrategy(new SleepingMillisIdleStrategy(1))
                .ipcTermBufferLength(bothWays ? (size > 65536 ? 64 : 1) * 1024 * 1024 : 64 * 1024 * 1024)
                .ipcMtuLength(MTU)
                .termBufferSparseFile(false)
                .clientLivenessTimeoutNs(TimeUnit.MINUTES.toNanos(10))
                .driverTimeoutMs(TimeUnit.MINUTES.toMillis(10))
                .publicationUnblockTimeoutNs(TimeUnit.MINUTES.toNanos(20))
                .warnIfDirectoryExists(false));
            Files.writeString(Path.of(directory + ".name"), driver.aeronDirectoryName());
        }
        String where = Files.readString(Path.of(directory + ".name"));
        aeron = Aeron.connect(new Aeron.Context().aeronDirectoryName(where).preTouchMappedMemory(true)
            .driverTimeoutMs(TimeUnit.MINUTES.toMillis(10)).idleStrategy(new SleepingMillisIdleStrategy(1)));
        int sendsTo = isFirst ? 2 : 1;
        if (bothWays || !isFirst) {
            out = aeron.addExclusivePublication("aeron:ipc", sendsTo);
        }
        if (bothWays || isFirst) {
            in = aeron.addSubscription("aeron:ipc", 3 - sendsTo);
        }
        while (!isFirst && (!out.isConnected() || (in != null && !in.isConnected()))) {
            Thread.sleep(1);
        }
    }

    private long send() {
        at++;
        message.putLong(0, at);
        message.putLong(size / 2 / 8 * 8, at);
        message.putLong(size - 8, at);
        for (long result; (result = out.offer(message, 0, size)) < 0;) {
            if (result == Publication.CLOSED || result == Publication.MAX_POSITION_EXCEEDED) {
                throw new IllegalStateException("offer: " + result);
            }
            Thread.onSpinWait();
        }
        return 3 * at;
    }

    private void receive() {
        long before = received;
        while (received == before) {
            in.poll(handler, 1);
        }
    }

    private void play(String role, int count, PrintStream print) {
        long sent = 0;
        sum = 0;
        switch (role) {
            case "ping" -> {
                long[] each = new long[count];
                long before = 0;
                for (int i = 0; i < AT_FIRST + count; i++) {
                    if (i == AT_FIRST) {
                        before = System.nanoTime();
                    }
                    sent += send();
                    receive();
                    if (i >= AT_FIRST) {
                        long now = System.nanoTime();
                        each[i - AT_FIRST] = now - before;
                        before = now;
                    }
                }
                StringBuilder line = new StringBuilder();
                for (long ns : each) {
                    line.append(ns).append(' ');
                }
                print.println(line);
                print.println(sent + " " + sum);
            }
            case "pong" -> {
                for (int i = 0; i < AT_FIRST + count; i++) {
                    receive();
                    sent += send();
                }
                print.println(sum + " " + sent);
            }
            case "send" -> {
                long began = System.nanoTime();
                for (int i = 0; i < count; i++) {
                    sent += send();
                }
                print.println(began + " " + sent);
            }
            default -> {
                print.println("set");
                print.flush();
                long end = received + count;
                while (received < end) {
                    in.poll(handler, 256);
                }
                print.println(System.nanoTime() + " " + sum);
            }
        }
        print.flush();
    }

    private void close() {
        aeron.close();
        if (isFirst) {
            driver.close();
            IoUtil.delete(new java.io.File(driver.aeronDirectoryName()), true);
            IoUtil.delete(new java.io.File(directory + ".name"), true);
        }
    }

    public static void main(String[] words) throws Exception {
        if (words.length != 4) {
            System.err.println("usage: ping|pong|send|receive poll|block|in-place|batch SIZE NAME");
            System.exit(2);
        }
        PrintStream print = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), false);
        int size = Integer.parseInt(words[2]);
        if (!words[1].equals("poll")) {
            System.out.println("absent: it has no such way");
            return;
        }
        long began = System.nanoTime();
        Peer peer = new Peer(words[0], size, words[3]);
        peer.open();
        print.println("ready " + (System.nanoTime() - began));
        print.flush();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null && Integer.parseInt(line.trim()) != 0;) {
            peer.play(words[0], Integer.parseInt(line.trim()), print);
        }
        peer.close();
    }
}
