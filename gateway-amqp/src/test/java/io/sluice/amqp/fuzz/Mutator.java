package io.sluice.amqp.fuzz;

import java.util.Arrays;
import java.util.Random;

/** Breaks bytes by chance: flips, sets, inserts, removes, doubles and moves them, and puts lengths where none belong. */
final class Mutator {
    private static final int[] LENGTHS = {0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 4096, 4095
    };

    private final Random random;

    Mutator(Random random) {
        this.random = random;
    }

    /** A copy with one to four wounds. */
    byte[] mutate(byte[] from) {
        byte[] bytes = from;
        for (int i = random.nextInt(4); i >= 0; i--) {
            bytes = once(bytes);
        }
        return bytes;
    }

    private byte[] once(byte[] from) {
        if (from.length == 0) {
            return new byte[] {(byte) random.nextInt()};
        }
        byte[] bytes = from.clone();
        int at = random.nextInt(bytes.length);
        int length = Math.min(bytes.length - at, 1 + random.nextInt(8));
        switch (random.nextInt(7)) {
            case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
            case 1 -> bytes[at] = (byte) random.nextInt();
            case 2 -> setLength(bytes, at);
            case 3 -> {
                return splice(bytes, at, length, new byte[0]);
            }
            case 4 -> {
                byte[] more = new byte[length];
                random.nextBytes(more);
                return splice(bytes, at, 0, more);
            }
            case 5 -> {
                return splice(bytes, at, 0, Arrays.copyOfRange(bytes, at, at + length));
            }
            default -> System.arraycopy(from, random.nextInt(from.length - length + 1), bytes, at, length);
        }
        return bytes;
    }

    private void setLength(byte[] bytes, int at) {
        int value = LENGTHS[random.nextInt(LENGTHS.length)];
        int width = 1 << random.nextInt(3);
        for (int i = 0; i < width && at + i < bytes.length; i++) {
            bytes[at + i] = (byte) (value >>> 8 * (width - 1 - i));
        }
    }

    private static byte[] splice(byte[] bytes, int at, int length, byte[] with) {
        byte[] spliced = new byte[bytes.length - length + with.length];
        System.arraycopy(bytes, 0, spliced, 0, at);
        System.arraycopy(with, 0, spliced, at, with.length);
        System.arraycopy(bytes, at + length, spliced, at + with.length, bytes.length - at - length);
        return spliced;
    }
}
