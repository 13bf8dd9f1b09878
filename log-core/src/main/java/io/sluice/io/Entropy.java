package io.sluice.io;

import java.security.SecureRandom;
import java.util.UUID;

/** Where random numbers come from; seeded in simulations. Thread-safe. */
@FunctionalInterface
public interface Entropy {
    long nextLong();

    /** A random (version 4) UUID. */
    default UUID uuid() {
        long high = (nextLong() & 0xFFFF_FFFF_FFFF_0FFFL) | 0x4000L;
        long low = (nextLong() & 0x3FFF_FFFF_FFFF_FFFFL) | 0x8000_0000_0000_0000L;
        return new UUID(high, low);
    }

    /** The machine's secure generator. */
    static Entropy system() {
        SecureRandom random = new SecureRandom();
        return random::nextLong;
    }
}
