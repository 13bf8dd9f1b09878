package io.sluice.amqp091.codec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class MethodTest {
    static Stream<Method> methods() {
        return Stream.of(
                new ConnectionMethod.Tune(2047, 131_072, 60),
                new ConnectionMethod.Open("/"),
                new ConnectionMethod.OpenOk(),
                new ConnectionMethod.Close(320, "bye", 10, 40),
                new ConnectionMethod.Blocked("disk"),
                new ChannelMethod.Open(),
                new ChannelMethod.OpenOk(),
                new ChannelMethod.Flow(true),
                new ChannelMethod.Close(404, "no", 50, 10),
                new AccessMethod.Request("/data"),
                new AccessMethod.RequestOk(1),
                new ExchangeMethod.Declare("e", "topic", false, true, false, true, false, Map.of("k", 1)),
                new ExchangeMethod.Delete("e", true, false),
                new ExchangeMethod.Bind("d", "s", "k.#", true, Map.of()),
                new QueueMethod.Declare("q", true, false, true, false, true, Map.of("x-queue-type", "quorum")),
                new QueueMethod.DeclareOk("q", 7, 1),
                new QueueMethod.Bind("q", "e", "k", false, Map.of()),
                new QueueMethod.Unbind("q", "e", "k", Map.of()),
                new QueueMethod.Delete("q", true, true, false),
                new QueueMethod.PurgeOk(3),
                new BasicMethod.Qos(0, 100, true),
                new BasicMethod.Consume("q", "tag", false, true, false, true, Map.of()),
                new BasicMethod.Publish("e", "k", true, false),
                new BasicMethod.Return(312, "NO_ROUTE", "e", "k"),
                new BasicMethod.Deliver("tag", 9L, true, "e", "k"),
                new BasicMethod.Get("q", true),
                new BasicMethod.GetOk(1, false, "e", "k", 4),
                new BasicMethod.GetEmpty(),
                new BasicMethod.Ack(Long.MAX_VALUE, true),
                new BasicMethod.Nack(5, false, true),
                new BasicMethod.Reject(5, true),
                new BasicMethod.Recover(true),
                new ConfirmMethod.Select(true),
                new ConfirmMethod.SelectOk(),
                new TxMethod.Select(),
                new TxMethod.SelectOk(),
                new TxMethod.Commit(),
                new TxMethod.CommitOk(),
                new TxMethod.Rollback(),
                new TxMethod.RollbackOk());
    }

    @ParameterizedTest
    @MethodSource("methods")
    void comesBack(Method method) {
        ByteBuf out = Unpooled.buffer();
        method.encode(out);
        assertThat(Method.decode(method.id(), out)).isEqualTo(method);
    }

    @Test
    void unknownMethodsAndTrailingBytesAreRefused() {
        assertThatThrownBy(() -> Method.decode(Protocol.id(60, 99), Unpooled.EMPTY_BUFFER))
                .isInstanceOfSatisfying(
                        AmqpException.class, e -> assertThat(e.code()).isEqualTo(ReplyCode.COMMAND_INVALID));
        assertThatThrownBy(() -> Method.decode(Protocol.id(10, 51), Unpooled.wrappedBuffer(new byte[1])))
                .isInstanceOfSatisfying(
                        AmqpException.class, e -> assertThat(e.code()).isEqualTo(ReplyCode.SYNTAX_ERROR));
    }

    @Test
    void randomArgumentsEndInAnErrorOrAMethod() {
        Random random = new Random(7);
        int[] ids = methods().mapToInt(Method::id).toArray();
        int refused = 0;
        for (int round = 0; round < 20_000; round++) {
            byte[] bytes = new byte[random.nextInt(40)];
            random.nextBytes(bytes);
            try {
                Method.decode(ids[random.nextInt(ids.length)], Unpooled.wrappedBuffer(bytes));
            } catch (AmqpException | IndexOutOfBoundsException e) {
                refused++;
            }
        }
        assertThat(refused).isPositive();
    }
}
