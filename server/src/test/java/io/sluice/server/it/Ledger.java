package io.sluice.server.it;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;

/**
 * What one publisher sent, what was confirmed to it, and what its readers got, in order. Messages are numbered from 0 by their
 * publisher, sent once each, and their bytes follow from name and number. Every event is also a line of a file, in the order in
 * which it was seen: {@code S id} sent, {@code C id} confirmed, {@code D reader id} delivered, {@code - text} anything else.
 * Thread-safe.
 */
final class Ledger implements AutoCloseable {
    private final String name;
    private final Path file;
    private final Writer events;
    private final BitSet confirmed = new BitSet();
    private final List<Reader> readers = new ArrayList<>();
    private int sent;

    Ledger(Path directory, String name) throws IOException {
        this.name = name;
        this.file = Files.createDirectories(directory).resolve(name + ".events");
        this.events = new BufferedWriter(Files.newBufferedWriter(file), 1 << 16);
    }

    /** Takes the next number; called before the message leaves. */
    synchronized int send() {
        note("S " + sent);
        return sent++;
    }

    synchronized void confirm(int id) {
        confirmed.set(id);
        note("C " + id);
    }

    synchronized int confirmedCount() {
        return confirmed.cardinality();
    }

    synchronized void mark(String text) {
        note("- " + text);
    }

    /** The bytes of a message: 20 to about 1,000 of them. */
    byte[] payload(int id) {
        int filler = Math.floorMod(id * 0x9E3779B9, 977);
        byte[] head = (name + " " + id + " ").getBytes(UTF_8);
        byte[] bytes = Arrays.copyOf(head, head.length + filler);
        for (int i = head.length; i < bytes.length; i++) {
            bytes[i] = (byte) ('a' + Math.floorMod(id + i, 26));
        }
        return bytes;
    }

    /** One more place where all messages must arrive. */
    synchronized Reader reader(String place) {
        Reader reader = new Reader(place);
        readers.add(reader);
        return reader;
    }

    /** Fails with what was lost, invented or out of order. */
    synchronized void check() throws IOException {
        events.flush();
        assertThat(sent).as("%s sent", name).isPositive();
        for (Reader reader : readers) {
            reader.check();
        }
    }

    private void note(String line) {
        try {
            events.write(line);
            events.write('\n');
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public synchronized String toString() {
        StringBuilder text = new StringBuilder(name + ": sent " + sent + ", confirmed " + confirmed.cardinality());
        readers.forEach(r -> text.append("; ").append(r));
        return text.toString();
    }

    @Override
    public synchronized void close() throws IOException {
        events.close();
    }

    /** A queue, a session, a group, or somebody who reads it all. */
    final class Reader {
        private final String place;
        private final BitSet delivered = new BitSet();
        private final List<String> violations = new ArrayList<>();
        private int highestFirstDelivery = -1;
        private int repeated;

        private Reader(String place) {
            this.place = place;
        }

        /**
         * Notes a delivery: it must be of bytes that were sent, and first deliveries must rise.
         *
         * @return true if it is the first of its message
         */
        boolean deliver(byte[] payload) {
            synchronized (Ledger.this) {
                int id = idOf(payload);
                note("D " + place + " " + id);
                if (id < 0 || id >= sent || !Arrays.equals(payload, payload(id))) {
                    violations.add("invented: '" + new String(payload, UTF_8) + "', " + sent + " sent");
                    return false;
                }
                if (delivered.get(id)) {
                    repeated++;
                    return false;
                }
                delivered.set(id);
                if (id < highestFirstDelivery) {
                    violations.add("first delivery of " + id + " after " + highestFirstDelivery);
                }
                highestFirstDelivery = Math.max(highestFirstDelivery, id);
                return true;
            }
        }

        /** True once every confirmed message was delivered. */
        boolean isComplete() {
            synchronized (Ledger.this) {
                return missing().isEmpty();
            }
        }

        int deliveredCount() {
            synchronized (Ledger.this) {
                return delivered.cardinality();
            }
        }

        int repeatedCount() {
            synchronized (Ledger.this) {
                return repeated;
            }
        }

        private BitSet missing() {
            BitSet missing = (BitSet) confirmed.clone();
            missing.andNot(delivered);
            return missing;
        }

        private void check() {
            assertThat(missing())
                    .as("%s: confirmed but never delivered to %s, see %s", name, place, file)
                    .isEqualTo(new BitSet());
            assertThat(violations).as("%s at %s, see %s", name, place, file).isEmpty();
        }

        private int idOf(byte[] payload) {
            String[] words = new String(payload, UTF_8).split(" ", 3);
            try {
                return words.length == 3 && words[0].equals(name) ? Integer.parseInt(words[1]) : -1;
            } catch (NumberFormatException e) {
                return -1;
            }
        }

        @Override
        public String toString() {
            return place + " got " + delivered.cardinality() + ", again " + repeated;
        }
    }
}
