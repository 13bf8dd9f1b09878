package io.sluice.amqp091.connection;

import io.sluice.io.Entropy;
import java.util.UUID;

/** Randomness for names that the server chooses: queues and consumer tags. */
final class RandomNames {
    private static final Entropy ENTROPY = Entropy.system();

    private RandomNames() {}

    static UUID uuid() {
        return ENTROPY.uuid();
    }
}
