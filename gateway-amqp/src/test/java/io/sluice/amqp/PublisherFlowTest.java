package io.sluice.amqp;

import static io.sluice.amqp.AmqpPeers.consume;
import static io.sluice.amqp.AmqpPeers.factory;
import static io.sluice.amqp.AmqpPeers.next;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.rabbitmq.client.BlockedListener;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.MessageProperties;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.amqp091.codec.ChannelMethod;
import io.sluice.amqp091.codec.ConnectionMethod;
import io.sluice.amqp091.codec.FrameWriter;
import io.sluice.amqp091.codec.QueueMethod;
import io.sluice.engine.LogEngine.DiskState;
import io.sluice.io.DiskFileSystem;
import io.sluice.io.FileSystem;
import io.sluice.io.StorageFile;
import io.sluice.shard.CoreSettings;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Publishers under a full disk and an overloaded shard. */
@Timeout(60)
@ExtendWith(NoLeaks.class)
class PublisherFlowTest {
    @TempDir
    private Path directory;

    private TestBroker broker;
    private final FillableDisk disk = new FillableDisk();

    /** A disk that says how full it is as it is told. */
    private static final class FillableDisk implements FileSystem {
        private final FileSystem real = new DiskFileSystem();
        private volatile boolean full;

        @Override
        public Space space(Path path) throws IOException {
            return full ? new Space(1L << 40, 512 << 10) : new Space(1L << 40, 1L << 39);
        }

        @Override
        public StorageFile open(Path path, boolean create) throws IOException {
            return real.open(path, create);
        }

        @Override
        public StorageFile openDirect(Path path) throws IOException {
            return real.openDirect(path);
        }

        @Override
        public boolean exists(Path path) {
            return real.exists(path);
        }

        @Override
        public List<String> list(Path path) throws IOException {
            return real.list(path);
        }

        @Override
        public void createDirectories(Path path) throws IOException {
            real.createDirectories(path);
        }

        @Override
        public void syncDirectory(Path path) throws IOException {
            real.syncDirectory(path);
        }

        @Override
        public void delete(Path path) throws IOException {
            real.delete(path);
        }

        @Override
        public void rename(Path from, Path to) throws IOException {
            real.rename(from, to);
        }
    }

    private void open(CoreSettings settings) throws Exception {
        broker = new TestBroker(directory, disk, settings, AmqpSettings.DEFAULT);
    }

    @AfterEach
    void close() {
        broker.close();
    }

    private void disk(boolean full) {
        disk.full = full;
        await().until(() -> (broker.engine().diskState() == DiskState.FULL) == full);
    }

    private static final class Blocks implements BlockedListener {
        final List<String> events = new CopyOnWriteArrayList<>();

        @Override
        public void handleBlocked(String reason) {
            events.add(reason);
        }

        @Override
        public void handleUnblocked() {
            events.add("unblocked");
        }
    }

    @Test
    void publisherIsBlockedWhileTheDiskIsFullAndLosesNothing() throws Exception {
        open(CoreSettings.DEFAULT);
        try (Connection connection = factory(broker.port()).newConnection();
                Connection idle = factory(broker.port()).newConnection();
                Connection reader = factory(broker.port()).newConnection()) {
            Blocks blocks = new Blocks();
            connection.addBlockedListener(blocks);
            Blocks others = new Blocks();
            idle.addBlockedListener(others);
            Channel channel = connection.createChannel();
            channel.queueDeclare("q", true, false, false, null);
            channel.confirmSelect();
            channel.basicPublish("", "q", MessageProperties.PERSISTENT_BASIC, new byte[] {0});
            channel.waitForConfirmsOrDie(10_000);
            disk(true);
            for (int i = 1; i < 50; i++) {
                channel.basicPublish("", "q", MessageProperties.PERSISTENT_BASIC, new byte[] {(byte) i});
            }
            await().untilAsserted(() -> assertThat(blocks.events).containsExactly("low on disk"));
            // consuming goes on, also on a connection that never published
            Channel worker = reader.createChannel();
            BlockingQueue<Delivery> deliveries = consume(worker, "q", false);
            Delivery first = next(deliveries);
            worker.basicAck(first.getEnvelope().getDeliveryTag(), false);
            assertThat(deliveries.poll(100, TimeUnit.MILLISECONDS)).isNull();
            disk(false);
            channel.waitForConfirmsOrDie(10_000);
            await().untilAsserted(() -> assertThat(blocks.events).containsExactly("low on disk", "unblocked"));
            for (int i = 1; i < 50; i++) {
                assertThat(next(deliveries).getBody()).containsExactly(i);
            }
            assertThat(others.events).isEmpty();
        }
    }

    @Test
    void connectionThatAlsoConsumesIsStillReadForItsAcknowledgements() throws Exception {
        open(CoreSettings.DEFAULT);
        try (Connection connection = factory(broker.port()).newConnection()) {
            Blocks blocks = new Blocks();
            connection.addBlockedListener(blocks);
            Channel channel = connection.createChannel();
            channel.queueDeclare("q", true, false, false, null);
            channel.queueDeclare("out", true, false, false, null);
            for (int i = 0; i < 100; i++) {
                channel.basicPublish("", "q", MessageProperties.PERSISTENT_BASIC, new byte[] {(byte) i});
            }
            channel.basicQos(5);
            BlockingQueue<Delivery> deliveries = consume(channel, "q", false);
            disk(true);
            for (int i = 0; i < 100; i++) { // takes each and passes it on, as a worker does
                Delivery delivery = next(deliveries);
                channel.basicPublish("", "out", MessageProperties.PERSISTENT_BASIC, delivery.getBody());
                channel.basicAck(delivery.getEnvelope().getDeliveryTag(), false);
            }
            assertThat(blocks.events).containsExactly("low on disk");
            disk(false);
            await().until(() -> channel.messageCount("out") == 100);
            assertThat(channel.messageCount("q")).isZero();
        }
    }

    @Test
    void theCloseOfAConnectionWaitsForWhatItPublished() throws Exception {
        open(CoreSettings.DEFAULT);
        try (RawPeer peer = new RawPeer(broker.port())) {
            peer.login(131_072);
            peer.openChannel(1);
            peer.send(1, new QueueMethod.Declare("q", false, true, false, false, false, Map.of()));
            assertThat(peer.receive()).isInstanceOf(QueueMethod.DeclareOk.class);
            disk(true);
            ByteBuf out = Unpooled.buffer();
            RawPeer.publish(out, 1, "q", new byte[] {1});
            FrameWriter.method(out, 1, new ChannelMethod.Close(200, "", 0, 0));
            FrameWriter.method(out, 0, new ConnectionMethod.Close(200, "", 0, 0));
            peer.send(out);
            assertThat(peer.receive()).isInstanceOf(ChannelMethod.CloseOk.class);
            peer.socket.setSoTimeout(300);
            assertThatThrownBy(peer::receive).isInstanceOf(SocketTimeoutException.class);
            peer.socket.setSoTimeout(10_000);
            disk(false);
            assertThat(peer.receive()).isInstanceOf(ConnectionMethod.CloseOk.class);
        }
        await().until(() -> broker.host().table().queue("q").stats().ready() == 1);
    }

    @Test
    void newConnectionsAreBlockedAtTheirFirstPublish() throws Exception {
        open(CoreSettings.DEFAULT);
        disk(true);
        try (Connection connection = factory(broker.port()).newConnection()) {
            Blocks blocks = new Blocks();
            connection.addBlockedListener(blocks);
            Channel channel = connection.createChannel();
            String queue = channel.queueDeclare().getQueue();
            assertThat(blocks.events).isEmpty();
            channel.basicPublish("", queue, MessageProperties.PERSISTENT_BASIC, new byte[1]);
            await().untilAsserted(() -> assertThat(blocks.events).containsExactly("low on disk"));
            disk(false);
            await().until(() -> channel.messageCount(queue) == 1);
        }
    }

    @Test
    void peerThatGoesAwayWhileBlockedLeavesNothingBehind() throws Exception {
        open(CoreSettings.DEFAULT);
        disk(true);
        Connection connection = factory(broker.port()).newConnection();
        Channel channel = connection.createChannel();
        Blocks blocks = new Blocks();
        connection.addBlockedListener(blocks);
        String queue = channel.queueDeclare().getQueue();
        for (int i = 0; i < 20; i++) {
            channel.basicPublish("", queue, MessageProperties.PERSISTENT_BASIC, new byte[100_000]);
        }
        await().until(() -> !blocks.events.isEmpty());
        connection.abort(0); // the broker does not read: it learns of it from its own heartbeats or the closed socket
        disk(false);
        await().until(() -> broker.gateway().connectionCount() == 0);
    }

    @Test
    void congestedShardPausesPublishersWithoutLoss() throws Exception {
        open(new CoreSettings(2, 4096, 64 << 20, 128 << 10, 64 << 20, 0));
        try (Connection connection = factory(broker.port()).newConnection();
                Connection second = factory(broker.port()).newConnection()) {
            Channel channel = connection.createChannel();
            channel.queueDeclare("q", true, false, false, null);
            channel.confirmSelect();
            Channel other = second.createChannel();
            other.confirmSelect();
            int messages = 500;
            byte[] body = new byte[1000];
            for (int i = 0; i < messages; i++) {
                channel.basicPublish("", "q", MessageProperties.PERSISTENT_BASIC, body);
                other.basicPublish("", "q", MessageProperties.PERSISTENT_BASIC, body);
            }
            channel.waitForConfirmsOrDie(30_000);
            other.waitForConfirmsOrDie(30_000);
            assertThat(channel.messageCount("q")).isEqualTo(2 * messages);
        }
    }

    @Test
    void slowConsumerHoldsBoundedOutputAndGetsEverything() throws Exception {
        open(CoreSettings.DEFAULT);
        try (Connection connection = factory(broker.port()).newConnection()) {
            Channel channel = connection.createChannel();
            channel.queueDeclare("big", true, false, false, Map.of());
            channel.confirmSelect();
            byte[] body = new byte[200_000];
            for (int i = 0; i < 100; i++) {
                body[0] = (byte) i;
                channel.basicPublish("", "big", MessageProperties.PERSISTENT_BASIC, body);
            }
            channel.waitForConfirmsOrDie(10_000);
            try (RawPeer peer = new RawPeer(broker.port())) {
                peer.login(131_072);
                peer.openChannel(1);
                peer.consume(1, "big");
                // does not read until all are on their way: they wait as references, not as copies
                await().until(() -> broker.host().table().queue("big").stats().ready() == 0);
                for (int i = 0; i < 100; i++) {
                    assertThat(peer.receiveContent()[0]).isEqualTo((byte) i);
                }
            }
        }
    }
}
