package io.sluice.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.util.ResourceLeakDetector;
import io.sluice.log.PartitionId;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.message.ProduceRequestData;
import org.apache.kafka.common.message.ProduceRequestData.PartitionProduceData;
import org.apache.kafka.common.message.ProduceRequestData.TopicProduceData;
import org.apache.kafka.common.message.ProduceRequestData.TopicProduceDataCollection;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.requests.AbstractRequest;
import org.apache.kafka.common.requests.AbstractResponse;
import org.apache.kafka.common.requests.FetchRequest;
import org.apache.kafka.common.requests.FetchResponse;
import org.apache.kafka.common.requests.MetadataRequest;
import org.apache.kafka.common.requests.MetadataResponse;
import org.apache.kafka.common.requests.ProduceRequest;
import org.apache.kafka.common.requests.ProduceResponse;
import org.apache.kafka.common.requests.RequestHeader;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.slf4j.LoggerFactory;

/** The native door with raw sockets: peers that break the rules, go away, or do not read. Leak detection is paranoid. */
class RawProtocolTest extends ClientTest {
    private static final int BUDGET = 1 << 20;
    private static final int FIRST_REQUEST_MILLIS = 3_000;
    private static final String TOPIC = "t";

    private final ListAppender<ILoggingEvent> log = new ListAppender<>();
    private final Logger root = (Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
    private ResourceLeakDetector.Level before;

    @Override
    NativeSettings settings() {
        NativeSettings base = NativeSettings.DEFAULT;
        return new NativeSettings(
                null,
                base.maxRequestBytes(),
                BUDGET,
                FIRST_REQUEST_MILLIS,
                base.idleMillis(),
                16,
                true,
                1,
                base.durabilityAll(),
                base.durabilityFew(),
                base.maxFetchBytes(),
                base.maxFetchSessions(),
                0,
                base.offsetsRetentionMillis());
    }

    @BeforeEach
    void watch() {
        before = ResourceLeakDetector.getLevel();
        ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.PARANOID);
        log.start();
        root.addAppender(log);
    }

    @AfterEach
    void noLeaks() {
        // the detector reports what it finds unreachable when the next buffer is made
        for (int i = 0; i < 3; i++) {
            System.gc();
            PooledByteBufAllocator.DEFAULT.directBuffer(16).release();
        }
        root.detachAppender(log);
        ResourceLeakDetector.setLevel(before);
        assertThat(events().stream().map(ILoggingEvent::getFormattedMessage)).noneMatch(line -> line.contains("LEAK"));
    }

    private List<ILoggingEvent> events() {
        synchronized (log) {
            return List.copyOf(log.list);
        }
    }

    private List<String> warnings() {
        return events().stream()
                .filter(event -> event.getLevel().isGreaterOrEqual(Level.WARN))
                .map(ILoggingEvent::getFormattedMessage)
                .toList();
    }

    private static ByteBuffer bytes(int... values) {
        ByteBuffer buffer = ByteBuffer.allocate(values.length);
        for (int value : values) {
            buffer.put((byte) value);
        }
        return buffer.flip();
    }

    /** A frame with a header of version 1: key, version, correlation id 1, no client id. */
    private static ByteBuffer frame(int size, int key, int version, byte... body) {
        ByteBuffer buffer = ByteBuffer.allocate(14 + body.length);
        buffer.putInt(size)
                .putShort((short) key)
                .putShort((short) version)
                .putInt(1)
                .putShort((short) -1);
        return buffer.put(body).flip();
    }

    static Stream<Arguments> malformed() {
        byte[] longArray = {0, (byte) 0xFF, (byte) 0xFF, 0x7F, 0, 0};
        return Stream.of(
                Arguments.of("larger than the limit", frame(Integer.MAX_VALUE, 18, 0), "outside"),
                Arguments.of("larger than the limit, and no more than that", bytes(127, -1, -1, -1), "outside"),
                Arguments.of("negative size", frame(-1, 18, 0), "outside"),
                Arguments.of("too small for a header", frame(4, 18, 0), "outside"),
                Arguments.of("unknown api key", frame(10, 12_345, 0), "api key 12345 version 0 is not served"),
                Arguments.of("api of brokers among themselves", frame(10, 4, 0), "not served"),
                Arguments.of("version of the future", frame(10, 3, 99), "api key 3 version 99 is not served"),
                Arguments.of("version of the past", frame(10, 0, 0), "api key 0 version 0 is not served"),
                Arguments.of(
                        "HTTP",
                        ByteBuffer.wrap("GET / HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.US_ASCII)),
                        "outside"),
                Arguments.of("TLS", bytes(0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3), "outside"),
                Arguments.of("array longer than the request", frame(16, 3, 12, longArray), "malformed request"),
                Arguments.of("header cut short", frame(8, 3, 12), "malformed request"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("malformed")
    void malformedRequestClosesTheConnectionWithOneLine(String what, ByteBuffer bytes, String line) throws Exception {
        try (Socket socket = connect()) {
            socket.getOutputStream().write(bytes.array(), 0, bytes.limit());
            assertThat(isClosed(socket)).isTrue();
        }
        assertThat(warnings()).singleElement().asString().contains(line);
    }

    @Test
    void peersThatSendNoRequestAreClosedInTimeWithOneLine() throws Exception {
        try (Socket silent = connect();
                Socket begun = connect();
                Socket working = connect()) {
            begun.getOutputStream().write(new byte[] {0, 0, 0, 40, 0});
            working.getOutputStream().write(encode(metadata(), 1));
            assertThat(read(working, metadata(), 1)).isInstanceOf(MetadataResponse.class);
            assertThat(isClosed(silent)).isTrue();
            assertThat(isClosed(begun)).isTrue();
            // one that has shown what it is may be silent for longer
            working.getOutputStream().write(encode(metadata(), 2));
            assertThat(read(working, metadata(), 2)).isInstanceOf(MetadataResponse.class);
        }
        assertThat(warnings()).hasSize(2).allMatch(line -> line.contains("no request within 3000 ms"));
    }

    @Test
    void requestsArriveInPiecesOfAnySize() throws Exception {
        try (Socket socket = connect()) {
            byte[] request = encode(metadata(), 7);
            for (byte b : request) {
                socket.getOutputStream().write(b);
                socket.getOutputStream().flush();
            }
            byte[] three = new byte[request.length * 3];
            for (int i = 0; i < 3; i++) {
                System.arraycopy(encode(metadata(), 8 + i), 0, three, i * request.length, request.length);
            }
            socket.getOutputStream().write(three, 0, request.length + 5);
            socket.getOutputStream().write(three, request.length + 5, three.length - request.length - 5);
            for (int i = 7; i < 11; i++) {
                assertThat(read(socket, metadata(), i)).isInstanceOf(MetadataResponse.class);
            }
        }
    }

    @Test
    void announcedBytesTakeNoMemoryUntilTheyArrive() throws Exception {
        long used = PooledByteBufAllocator.DEFAULT.metric().usedDirectMemory();
        List<Socket> sockets = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            Socket socket = connect();
            sockets.add(socket);
            ByteBuffer start = frame(90 << 20, 0, 9);
            socket.getOutputStream().write(start.array(), 0, start.limit());
        }
        try (Socket other = connect()) {
            other.getOutputStream().write(encode(metadata(), 1));
            assertThat(read(other, metadata(), 1)).isInstanceOf(MetadataResponse.class);
        }
        assertThat(PooledByteBufAllocator.DEFAULT.metric().usedDirectMemory() - used)
                .isLessThan(32 << 20);
        assertThat(warnings()).isEmpty();
        for (Socket socket : sockets) {
            socket.close();
        }
        Awaitility.await()
                .untilAsserted(() -> assertThat(warnings())
                        .hasSize(sockets.size())
                        .allMatch(line -> line.contains("peer closed the connection in the middle of a request")));
    }

    @Test
    void largeRequestsWaitForMemoryAndGoOn() throws Exception {
        send(TOPIC, 0, 1);
        byte[] request = encode(produce(900_000, 5_000), 1);
        try (Socket one = connect();
                Socket two = connect();
                Socket three = connect()) {
            // one within the budget, one that may exceed it, one that has to wait
            begin(one, request);
            begin(two, request);
            Thread writer = new Thread(() -> {
                try {
                    three.getOutputStream().write(request);
                } catch (IOException e) {
                    throw new AssertionError(e);
                }
            });
            writer.start();
            three.setSoTimeout(300);
            assertThat(isSilent(three)).isTrue();
            three.setSoTimeout(10_000);
            one.getOutputStream().write(request, 800_000, request.length - 800_000);
            assertThat(error(read(one, produce(1, 1), 1))).isEqualTo(Errors.NONE);
            two.getOutputStream().write(request, 800_000, request.length - 800_000);
            assertThat(error(read(two, produce(1, 1), 1))).isEqualTo(Errors.NONE);
            assertThat(error(read(three, produce(1, 1), 1))).isEqualTo(Errors.NONE);
            writer.join();
        }
    }

    /** Sends the first 800,000 bytes and makes sure that the broker is at them. */
    private static void begin(Socket socket, byte[] request) throws IOException {
        byte[] metadata = encode(metadata(), 0);
        byte[] begun = Arrays.copyOf(metadata, metadata.length + 800_000);
        System.arraycopy(request, 0, begun, metadata.length, 800_000);
        socket.getOutputStream().write(begun);
        assertThat(read(socket, metadata(), 0)).isInstanceOf(MetadataResponse.class);
    }

    @Test
    void peerGoneInTheMiddleOfARequestLeavesNothing() throws Exception {
        byte[] request = encode(produce(500_000, 5_000), 1);
        try (Socket socket = connect()) {
            socket.getOutputStream().write(request, 0, 300_000);
        }
        try (Socket socket = connect()) {
            socket.getOutputStream().write(request);
            assertThat(error(read(socket, produce(1, 1), 1))).isEqualTo(Errors.UNKNOWN_TOPIC_OR_PARTITION);
        }
    }

    @Test
    void peerGoneInTheMiddleOfItsFirstRequestIsOneLineAndASilentOneNone() throws Exception {
        try (Socket begun = connect();
                Socket silent = connect()) {
            begun.getOutputStream().write(new byte[] {0, 0, 0, 40, 0});
            begun.shutdownOutput();
            silent.shutdownOutput();
            assertThat(isClosed(begun)).isTrue();
            assertThat(isClosed(silent)).isTrue();
        }
        Awaitility.await().until(() -> !warnings().isEmpty());
        assertThat(warnings())
                .singleElement()
                .asString()
                .contains("peer closed the connection in the middle of a request");
    }

    @Test
    void peerGoneInTheMiddleOfAResponseReleasesItsData() throws Exception {
        fill(20);
        for (int i = 0; i < 5; i++) {
            try (Socket socket = connect()) {
                socket.setReceiveBufferSize(4_096);
                socket.setSoLinger(true, 0);
                socket.getOutputStream().write(encode(fetch(0, 0, 1), 1));
                socket.getOutputStream().write(encode(fetch(0, 0, 1), 2));
                assertThat(socket.getInputStream().readNBytes(1_000)).hasSize(1_000);
            }
        }
        Awaitility.await()
                .untilAsserted(() -> assertThat(FilePartition.OPEN_SLICES).hasValue(0));
        assertThat(warnings()).isEmpty();
    }

    @Test
    void clientThatDoesNotReadIsServedOnlySoFar() throws Exception {
        fill(20);
        int requests = 500;
        try (Socket socket = connect()) {
            byte[] fetch = encode(fetch(0, 0, 1), 0);
            byte[] all = new byte[requests * fetch.length];
            for (int i = 0; i < requests; i++) {
                ByteBuffer.wrap(fetch).putInt(8, i);
                System.arraycopy(fetch, 0, all, i * fetch.length, fetch.length);
            }
            socket.getOutputStream().write(all);
            Awaitility.await().until(() -> FilePartition.OPEN_SLICES.get() >= 16);
            Awaitility.await()
                    .during(Duration.ofMillis(300))
                    .untilAsserted(
                            () -> assertThat(FilePartition.OPEN_SLICES.get()).isLessThanOrEqualTo(16));
            for (int i = 0; i < 40; i++) {
                assertThat(size(read(socket, fetch(0, 0, 1), i))).isGreaterThan(900_000);
            }
        }
        Awaitility.await()
                .untilAsserted(() -> assertThat(FilePartition.OPEN_SLICES).hasValue(0));
    }

    @Test
    void requestBehindAWaitingFetchIsNotHeldUp() throws Exception {
        send(TOPIC, 0, 1);
        try (Socket socket = connect()) {
            long start = System.nanoTime();
            socket.getOutputStream().write(encode(fetch(1, 60_000, 1), 1));
            socket.getOutputStream().write(encode(fetch(1, 60_000, 1), 2));
            socket.setSoTimeout(300);
            assertThat(isSilent(socket)).isTrue();
            socket.setSoTimeout(10_000);
            socket.getOutputStream().write(encode(metadata(), 3));
            assertThat(size(read(socket, fetch(1, 0, 1), 1))).isZero();
            assertThat(size(read(socket, fetch(1, 0, 1), 2))).isZero();
            assertThat(read(socket, metadata(), 3)).isInstanceOf(MetadataResponse.class);
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(10));
        }
    }

    @Test
    void produceThatIsNotStoredInTimeIsAnswered() throws Exception {
        send(TOPIC, 0, 1);
        node.hanging = true;
        try (Socket socket = connect()) {
            socket.getOutputStream().write(encode(produce(100, 5_000), 1));
            socket.getOutputStream().write(encode(produce(100, 200), 2));
            socket.getOutputStream().write(encode(produce(100, 400), 3));
            socket.getOutputStream().write(encode(metadata(), 4));
            socket.setSoTimeout(1_000);
            assertThat(isSilent(socket)).isTrue();
            socket.setSoTimeout(10_000);
            for (int i = 1; i <= 3; i++) {
                assertThat(error(read(socket, produce(1, 1), i))).isEqualTo(Errors.REQUEST_TIMED_OUT);
            }
            assertThat(read(socket, metadata(), 4)).isInstanceOf(MetadataResponse.class);
        }
    }

    // ---- requests

    private Socket connect() throws IOException {
        Socket socket = new Socket("127.0.0.1", node.address().getPort());
        socket.setSoTimeout(10_000);
        return socket;
    }

    private static AbstractRequest metadata() {
        return MetadataRequest.Builder.allTopics().build((short) 12);
    }

    private static AbstractRequest produce(int valueBytes, int timeoutMillis) {
        TopicProduceData topic = new TopicProduceData().setName(TOPIC);
        topic.partitionData()
                .add(new PartitionProduceData()
                        .setIndex(0)
                        .setRecords(MemoryRecords.withRecords(
                                Compression.NONE, new SimpleRecord(1_000, new byte[valueBytes]))));
        TopicProduceDataCollection topics = new TopicProduceDataCollection();
        topics.add(topic);
        return new ProduceRequest(
                new ProduceRequestData()
                        .setAcks((short) -1)
                        .setTimeoutMs(timeoutMillis)
                        .setTopicData(topics),
                (short) 9);
    }

    private static AbstractRequest fetch(long offset, int maxWaitMillis, int minBytes) {
        return FetchRequest.Builder.forConsumer(
                        (short) 12,
                        maxWaitMillis,
                        minBytes,
                        Map.of(
                                new TopicPartition(TOPIC, 0),
                                new FetchRequest.PartitionData(
                                        Uuid.ZERO_UUID, offset, -1, 1 << 20, java.util.Optional.empty())))
                .build((short) 12);
    }

    /** Makes the topic so many batches of about 100 KB long. */
    private void fill(int batches) throws Exception {
        send(TOPIC, 0, 1);
        try (Socket socket = connect()) {
            for (int i = 0; i < batches; i++) {
                socket.getOutputStream().write(encode(produce(100_000, 5_000), i));
                assertThat(error(read(socket, produce(1, 1), i))).isEqualTo(Errors.NONE);
            }
        }
        assertThat(node.partitions
                        .get(new PartitionId(node.names.get(TOPIC), 0))
                        .highWatermark())
                .isEqualTo(batches + 1);
    }

    private static byte[] encode(AbstractRequest request, int correlation) {
        ByteBuffer body =
                request.serializeWithHeader(new RequestHeader(request.apiKey(), request.version(), "raw", correlation));
        return ByteBuffer.allocate(4 + body.remaining())
                .putInt(body.remaining())
                .put(body)
                .array();
    }

    private static AbstractResponse read(Socket socket, AbstractRequest to, int correlation) throws IOException {
        DataInputStream in = new DataInputStream(socket.getInputStream());
        byte[] bytes = in.readNBytes(in.readInt());
        RequestHeader header = new RequestHeader(to.apiKey(), to.version(), "raw", correlation);
        return AbstractResponse.parseResponse(ByteBuffer.wrap(bytes), header);
    }

    private static Errors error(AbstractResponse response) {
        return Errors.forCode(((ProduceResponse) response)
                .data()
                .responses()
                .find(TOPIC, Uuid.ZERO_UUID)
                .partitionResponses()
                .get(0)
                .errorCode());
    }

    private static int size(AbstractResponse response) {
        return ((FetchResponse) response)
                .data().responses().stream()
                        .flatMap(topic -> topic.partitions().stream())
                        .mapToInt(partition -> partition.records().sizeInBytes())
                        .sum();
    }

    private static boolean isSilent(Socket socket) throws IOException {
        try {
            return socket.getInputStream().read() < -1;
        } catch (java.net.SocketTimeoutException e) {
            return true;
        }
    }

    private static boolean isClosed(Socket socket) throws IOException {
        try {
            return socket.getInputStream().read() == -1;
        } catch (SocketException e) {
            return true;
        }
    }
}
