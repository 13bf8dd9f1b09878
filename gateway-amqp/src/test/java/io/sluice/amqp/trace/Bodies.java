package io.sluice.amqp.trace;

import java.nio.ByteBuffer;
import java.util.Arrays;

/** Bodies that follow from the number of their message. */
final class Bodies {
    private Bodies() {}

    static byte[] of(int number) {
        int mixed = number * 0x9E3779B1;
        int length = 4 + (mixed >>> 25) + (mixed % 997 == 0 ? 20_000 : 0);
        byte[] body = new byte[length];
        Arrays.fill(body, (byte) mixed);
        ByteBuffer.wrap(body).putInt(number);
        return body;
    }

    /** The number of the message with this body, of which every byte must be right. */
    static int number(byte[] body) {
        int number = ByteBuffer.wrap(body).getInt();
        if (!Arrays.equals(body, of(number))) {
            throw new AssertionError("the body of message " + number + " is not what was published");
        }
        return number;
    }
}
