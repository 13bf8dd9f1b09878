package io.sluice.amqp;

import static io.sluice.amqp.AmqpPeers.factory;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** One broker for the class, and for each test a new connection of RabbitMQ's Java client with one channel. */
abstract class ClientTest {
    @TempDir
    private static Path directory;

    static TestBroker broker;

    Connection connection;
    Channel channel;

    @BeforeAll
    static void openBroker() throws Exception {
        broker = new TestBroker(directory);
    }

    @AfterAll
    static void closeBroker() {
        broker.close();
    }

    @BeforeEach
    void connect() throws Exception {
        connection = factory(broker.port()).newConnection();
        channel = connection.createChannel();
    }

    @AfterEach
    void disconnect() {
        connection.abort();
    }
}
