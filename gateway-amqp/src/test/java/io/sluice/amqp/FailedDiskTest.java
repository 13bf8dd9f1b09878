package io.sluice.amqp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.MessageProperties;
import com.rabbitmq.client.ShutdownSignalException;
import io.sluice.amqp091.codec.ReplyCode;
import io.sluice.io.DiskFileSystem;
import io.sluice.io.FileSystem;
import io.sluice.io.StorageFile;
import io.sluice.shard.CoreSettings;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** After a failed write nobody is told that something is settled for good: the connection ends with 541. */
@Timeout(60)
@ExtendWith(NoLeaks.class)
class FailedDiskTest {
    private static final Set<String> WRITES = Set.of("write", "sync", "truncate", "syncDirectory", "delete", "rename");

    @TempDir
    private Path directory;

    private final AtomicBoolean broken = new AtomicBoolean();
    private TestBroker broker;
    private Connection connection;
    private Channel channel;

    @BeforeEach
    void deliver() throws Exception {
        broker = new TestBroker(
                directory, failing(FileSystem.class, new DiskFileSystem()), CoreSettings.DEFAULT, AmqpSettings.DEFAULT);
        connect();
        channel.queueDeclare("q", true, false, false, null);
        channel.confirmSelect();
        channel.basicPublish("", "q", MessageProperties.PERSISTENT_BASIC, new byte[] {1});
        channel.waitForConfirmsOrDie(10_000);
    }

    @AfterEach
    void stop() {
        connection.abort();
        broker.close();
    }

    private void connect() throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setHost("127.0.0.1");
        factory.setPort(broker.port());
        factory.setAutomaticRecoveryEnabled(false);
        connection = factory.newConnection();
        channel = connection.createChannel();
    }

    /** {@code real}, whose files cannot be written any more once the disk is broken. */
    private <T> T failing(Class<T> type, T real) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (proxy, method, args) -> {
            if (broken.get() && WRITES.contains(method.getName())) {
                throw new IOException("the disk is broken");
            }
            try {
                Object answer = method.invoke(real, args);
                return answer instanceof StorageFile file ? failing(StorageFile.class, file) : answer;
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        }));
    }

    private void assertInternalError(ThrowingCallable call) {
        assertThatThrownBy(call).isInstanceOfSatisfying(IOException.class, e -> {
            assertThat(e).hasCauseInstanceOf(ShutdownSignalException.class);
            ShutdownSignalException signal = (ShutdownSignalException) e.getCause();
            assertThat(signal.isHardError()).isTrue();
            assertThat(signal.getReason().toString()).contains("reply-code=" + ReplyCode.INTERNAL_ERROR.code());
        });
        assertThat(connection.isOpen()).isFalse();
    }

    private void restart() throws Exception {
        connection.abort();
        broker.close();
        broken.set(false);
        broker = new TestBroker(directory);
        connect();
    }

    @Test
    void aCancelBehindAnAckThatIsNotWrittenFails() throws Exception {
        String tag = channel.basicConsume("q", false, new DefaultConsumer(channel));
        GetResponse none = channel.basicGet("q", false);
        assertThat(none).isNull();
        broken.set(true);
        channel.basicAck(1, false);
        assertInternalError(() -> channel.basicCancel(tag));
        restart();
        assertThat(channel.basicGet("q", true)).as("the message, again").isNotNull();
    }

    @Test
    void aPurgeThatIsNotWrittenFails() throws Exception {
        broken.set(true);
        assertInternalError(() -> channel.queuePurge("q"));
        restart();
        assertThat(channel.basicGet("q", true)).as("the message, again").isNotNull();
    }
}
