package io.sluice.amqp.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.FieldTable;
import io.sluice.amqp091.codec.ReplyCode;
import io.sluice.amqp091.codec.Wire;
import java.util.HexFormat;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Broken field tables, {@code sluice.fuzz.inputs} of them: each is read as a table or refused, and reading stays within it. */
class FieldTableFuzzTest {
    private final int inputs = Integer.getInteger("sluice.fuzz.inputs", 5_000);
    private final long seed = Long.getLong("sluice.fuzz.seed", 1);

    @Test
    void aTableIsReadOrRefused() {
        Random random = new Random(seed);
        Mutator mutator = new Mutator(random);
        int read = 0;
        for (int i = 0; i < inputs; i++) {
            ByteBuf whole = Unpooled.buffer();
            FieldTable.write(whole, RandomTables.table(random, 4));
            byte[] valid = new byte[whole.readableBytes()];
            whole.readBytes(valid);
            byte[] broken = mutator.mutate(valid);
            byte[] framed = new byte[broken.length + 64];
            System.arraycopy(broken, 0, framed, 0, broken.length);
            try {
                read += tryRead(framed, broken.length) ? 1 : 0;
            } catch (RuntimeException | AssertionError e) {
                throw new AssertionError(
                        "seed " + seed + ", input " + i + ": " + HexFormat.of().formatHex(broken), e);
            }
        }
        assertThat(read).isBetween(inputs / 20, inputs);
    }

    /** What lies behind the table belongs to others: to look at it would make a difference. */
    private static boolean tryRead(byte[] framed, int length) {
        ByteBuf in = Unpooled.wrappedBuffer(framed, 0, length);
        Map<String, @Nullable Object> table;
        try {
            table = FieldTable.read(in);
        } catch (AmqpException e) {
            assertThat(e.code()).isIn(ReplyCode.SYNTAX_ERROR, ReplyCode.FRAME_ERROR);
            return false;
        } catch (IndexOutOfBoundsException e) {
            return false; // the connection makes SYNTAX_ERROR of it
        }
        assertThat(in.readerIndex()).isEqualTo(4 + in.getInt(0));
        skipsAsItReads(in.duplicate().readerIndex(0));
        ByteBuf again = Unpooled.buffer();
        FieldTable.write(again, table);
        assertThat(FieldTable.read(again).keySet()).isEqualTo(table.keySet());
        return true;
    }

    private static void skipsAsItReads(ByteBuf in) {
        int end = 4 + in.readInt();
        while (in.readerIndex() < end) {
            Wire.readShortString(in);
            FieldTable.skipValue(in, in.readByte());
        }
        assertThat(in.readerIndex()).isEqualTo(end);
    }
}
