package io.sluice.routing.catalog;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.sluice.access.Principal;
import io.sluice.log.StreamId;
import io.sluice.queue.MessageGroups;
import io.sluice.queue.Overflow;
import io.sluice.queue.QueueId;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.RetryBackoff;
import io.sluice.routing.Binding;
import io.sluice.routing.ExchangeInfo;
import io.sluice.routing.QueueDeclaration;
import io.sluice.routing.Sessions.StoredSubscription;
import io.sluice.routing.Sessions.StoredWill;
import io.sluice.routing.VirtualHost.Description;
import io.sluice.routing.catalog.CatalogRecord.Bound;
import io.sluice.routing.catalog.CatalogRecord.DeclaredExchange;
import io.sluice.routing.catalog.CatalogRecord.DeclaredQueue;
import io.sluice.routing.catalog.CatalogRecord.DeclaredStream;
import io.sluice.routing.catalog.CatalogRecord.Host;
import io.sluice.routing.catalog.CatalogRecord.Ids;
import io.sluice.routing.catalog.CatalogRecord.Session;
import io.sluice.routing.catalog.CatalogRecord.SessionWill;
import io.sluice.routing.catalog.CatalogRecord.SetPolicy;
import io.sluice.routing.catalog.CatalogRecord.Subscribed;
import io.sluice.routing.policy.Policy;
import io.sluice.routing.policy.PolicyTarget;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * Bytes of catalog records. The record key names the object, so that compaction keeps the newest state of each; a null value
 * is its deletion.
 *
 * <pre>
 *   key   = kind(1) string*          value = version(1)=1 fields
 *   string = length(4) UTF-8, length -1 = null; map = count(4) (string string)*; numbers are big-endian
 * </pre>
 */
final class CatalogCodec {
    private static final byte VERSION = 2;

    // flags of a queue's policy
    private static final int SINGLE_ACTIVE = 1;
    private static final int RETRY = 2;
    private static final int GROUPS = 4;
    /** Beside what makes a group. */
    private static final int ONE_IN_FLIGHT = 0x80;

    private static final byte HOST = 'V';
    private static final byte EXCHANGE = 'X';
    private static final byte QUEUE = 'Q';
    private static final byte STREAM = 'S';
    private static final byte BINDING = 'B';
    private static final byte SESSION = 'M';
    private static final byte SUBSCRIPTION = 'U';
    private static final byte WILL = 'W';
    private static final byte POLICY = 'P';
    private static final byte IDS = 'I';

    // types of a policy's settings
    private static final byte TEXT = 's';
    private static final byte NUMBER = 'l';

    private CatalogCodec() {}

    /** Position of a record's kind in the order in which a catalog is put together: ends before bindings. */
    static int order(CatalogRecord record) {
        return switch (kind(record)) {
            case IDS -> 0;
            case HOST -> 1;
            case EXCHANGE -> 2;
            case QUEUE -> 3;
            case STREAM -> 4;
            case BINDING -> 5;
            case SESSION -> 6;
            case POLICY -> 1;
            default -> 7;
        };
    }

    static byte[] key(CatalogRecord record) {
        ByteBuf out = Unpooled.buffer();
        out.writeByte(kind(record));
        string(out, record.vhost());
        if (record instanceof DeclaredExchange x) {
            string(out, x.info().name());
        } else if (record instanceof DeclaredQueue q) {
            string(out, q.declaration().name());
        } else if (record instanceof DeclaredStream s) {
            string(out, s.name());
        } else if (record instanceof Bound b) {
            end(out, b.binding().source());
            end(out, b.binding().destination());
            string(out, b.binding().key());
            map(out, b.binding().arguments());
        } else if (record instanceof Session m) {
            string(out, m.clientId());
        } else if (record instanceof Subscribed u) {
            string(out, u.clientId());
            string(out, u.subscription().topicFilter());
        } else if (record instanceof SessionWill w) {
            string(out, w.clientId());
        } else if (record instanceof SetPolicy p) {
            out.writeBoolean(p.operator());
            string(out, p.policy().name());
        }
        return ByteBufUtil.getBytes(out);
    }

    static byte[] value(CatalogRecord record) {
        ByteBuf out = Unpooled.buffer();
        out.writeByte(VERSION);
        if (record instanceof Host h) {
            string(out, h.description().text());
            out.writeInt(h.description().tags().size());
            h.description().tags().forEach(tag -> string(out, tag));
        } else if (record instanceof DeclaredExchange x) {
            ExchangeInfo info = x.info();
            out.writeByte(info.type().ordinal());
            flags(out, info.durable(), info.autoDelete(), info.internal());
            map(out, info.arguments());
            string(out, x.owner().name());
        } else if (record instanceof DeclaredQueue q) {
            QueueDeclaration d = q.declaration();
            out.writeLong(q.id().value());
            flags(out, d.durable(), d.exclusive(), d.autoDelete());
            policy(out, d.policy());
            map(out, d.arguments());
            string(out, q.owner().name());
        } else if (record instanceof DeclaredStream s) {
            out.writeLong(s.id().uuid().getMostSignificantBits());
            out.writeLong(s.id().uuid().getLeastSignificantBits());
            map(out, s.configs());
            string(out, s.owner().name());
        } else if (record instanceof Bound b) {
            out.writeByte(b.binding().origin().ordinal());
            out.writeLong(b.bridge());
            out.writeInt(b.startOffsets().size());
            b.startOffsets().forEach(out::writeLong);
        } else if (record instanceof Session m) {
            out.writeLong(m.queue().value());
            out.writeLong(m.expirySeconds());
            out.writeLong(m.disconnectedAt());
            string(out, m.owner().name());
        } else if (record instanceof Subscribed u) {
            StoredSubscription s = u.subscription();
            out.writeByte(s.maximumQos());
            flags(out, s.noLocal(), s.retainAsPublished(), false);
            out.writeByte(s.retainHandling());
            out.writeInt(s.identifier());
        } else if (record instanceof SessionWill w && w.will() != null) {
            StoredWill will = w.will();
            string(out, will.topic());
            bytes(out, will.payload());
            out.writeByte(will.qos());
            flags(out, will.retain(), false, false);
            bytes(out, will.properties());
            out.writeLong(will.expirySeconds());
            out.writeLong(will.delaySeconds());
        } else if (record instanceof SetPolicy p) {
            settings(out, p.policy());
        } else if (record instanceof Ids ids) {
            out.writeLong(ids.limit());
        }
        return ByteBufUtil.getBytes(out);
    }

    /**
     * Reads a record back. Names that many records share are one string, and so are owners.
     *
     * @param owners those of the records before, by name
     * @throws IllegalStateException if it was written by an unknown version or is damaged
     */
    static CatalogRecord decode(byte[] key, byte[] value, Map<String, Principal> owners) {
        try {
            ByteBuf v = Unpooled.wrappedBuffer(value);
            byte version = v.readByte();
            if (version != VERSION) {
                throw new IllegalStateException("catalog record has version " + version + ", this broker reads "
                        + VERSION + ": it was written by a newer one");
            }
            ByteBuf k = Unpooled.wrappedBuffer(key);
            byte kind = k.readByte();
            String vhost = text(k).intern();
            return switch (kind) {
                case HOST -> new Host(vhost, description(v));
                case EXCHANGE -> exchange(vhost, k, v, owners);
                case QUEUE -> queue(vhost, k, v, owners);
                case STREAM ->
                    new DeclaredStream(
                            vhost,
                            text(k),
                            new StreamId(new UUID(v.readLong(), v.readLong())),
                            map(v),
                            owner(v, owners));
                case BINDING -> binding(vhost, k, v);
                case SESSION ->
                    new Session(
                            vhost, text(k), new QueueId(v.readLong()), v.readLong(), v.readLong(), owner(v, owners));
                case SUBSCRIPTION -> subscription(vhost, k, v);
                case WILL ->
                    new SessionWill(
                            vhost,
                            text(k),
                            new StoredWill(
                                    text(v),
                                    bytes(v),
                                    v.readByte(),
                                    flag(v.readByte(), 0),
                                    bytes(v),
                                    v.readLong(),
                                    v.readLong()));
                case POLICY -> new SetPolicy(vhost, k.readBoolean(), settings(text(k), v));
                case IDS -> new Ids(vhost, v.readLong());
                default -> throw new IllegalStateException("unknown kind of catalog record: " + kind);
            };
        } catch (IndexOutOfBoundsException e) {
            throw new IllegalStateException("catalog record is cut short", e);
        }
    }

    private static Description description(ByteBuf in) {
        String text = text(in);
        int count = in.readInt();
        List<String> tags = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            tags.add(text(in));
        }
        return new Description(text, List.copyOf(tags));
    }

    private static CatalogRecord exchange(String vhost, ByteBuf k, ByteBuf v, Map<String, Principal> owners) {
        ExchangeInfo.Type type = ExchangeInfo.Type.values()[v.readByte()];
        int flags = v.readByte();
        return new DeclaredExchange(
                vhost,
                new ExchangeInfo(text(k), type, flag(flags, 0), flag(flags, 1), flag(flags, 2), map(v)),
                owner(v, owners));
    }

    private static CatalogRecord queue(String vhost, ByteBuf k, ByteBuf v, Map<String, Principal> owners) {
        QueueId id = new QueueId(v.readLong());
        int flags = v.readByte();
        QueuePolicy policy = policy(v);
        return new DeclaredQueue(
                vhost,
                id,
                new QueueDeclaration(text(k), flag(flags, 0), flag(flags, 1), flag(flags, 2), policy, map(v)),
                owner(v, owners));
    }

    private static void policy(ByteBuf out, QueuePolicy policy) {
        string(out, policy.deadLetterExchange());
        string(out, policy.deadLetterKey());
        out.writeInt(policy.deliveryLimit());
        out.writeLong(policy.messageTtl());
        out.writeLong(policy.expires());
        out.writeLong(policy.maxLength());
        out.writeLong(policy.maxBytes());
        out.writeByte(policy.overflow().ordinal());
        out.writeByte(policy.maxPriority());
        RetryBackoff retry = policy.retry();
        MessageGroups groups = policy.groups();
        out.writeByte((policy.singleActiveConsumer() ? SINGLE_ACTIVE : 0)
                | (retry == null ? 0 : RETRY)
                | (groups == null ? 0 : GROUPS));
        if (retry != null) {
            out.writeLong(retry.firstMillis());
            out.writeLong(retry.maxMillis());
            out.writeInt(retry.multiplier());
            out.writeByte(retry.jitterPercent());
        }
        if (groups != null) {
            out.writeByte(groups.by().ordinal() | (groups.oneInFlight() ? ONE_IN_FLIGHT : 0));
        }
    }

    private static QueuePolicy policy(ByteBuf in) {
        QueuePolicy.Builder policy = QueuePolicy.builder()
                .deadLetterExchange(string(in))
                .deadLetterKey(string(in))
                .deliveryLimit(in.readInt())
                .messageTtl(in.readLong())
                .expires(in.readLong())
                .maxLength(in.readLong())
                .maxBytes(in.readLong())
                .overflow(Overflow.values()[in.readByte()])
                .maxPriority(in.readUnsignedByte());
        int flags = in.readByte();
        if ((flags & RETRY) != 0) {
            policy.retry(new RetryBackoff(in.readLong(), in.readLong(), in.readInt(), in.readByte()));
        }
        if ((flags & GROUPS) != 0) {
            int how = in.readUnsignedByte();
            policy.groups(
                    new MessageGroups(MessageGroups.By.values()[how & ONE_IN_FLIGHT - 1], (how & ONE_IN_FLIGHT) != 0));
        }
        return policy.singleActiveConsumer((flags & SINGLE_ACTIVE) != 0).build();
    }

    private static void settings(ByteBuf out, Policy policy) {
        string(out, policy.pattern());
        out.writeByte(policy.target().ordinal());
        out.writeLong(policy.priority());
        out.writeInt(policy.definition().size());
        policy.definition().forEach((key, value) -> {
            string(out, key);
            if (value instanceof Long number) {
                out.writeByte(NUMBER).writeLong(number);
            } else {
                out.writeByte(TEXT);
                string(out, value.toString());
            }
        });
    }

    private static Policy settings(String name, ByteBuf in) {
        String pattern = text(in);
        PolicyTarget target = PolicyTarget.values()[in.readByte()];
        long priority = in.readLong();
        int count = in.readInt();
        Map<String, Object> definition = new TreeMap<>();
        for (int i = 0; i < count; i++) {
            String key = text(in);
            definition.put(key, in.readByte() == NUMBER ? (Object) in.readLong() : text(in));
        }
        return new Policy(name, pattern, target, priority, definition);
    }

    private static CatalogRecord binding(String vhost, ByteBuf k, ByteBuf v) {
        Binding.End source = end(k);
        Binding.End destination = end(k);
        Binding binding = new Binding(source, destination, text(k), map(k), Binding.Origin.values()[v.readByte()]);
        long bridge = v.readLong();
        int count = v.readInt();
        List<Long> starts = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            starts.add(v.readLong());
        }
        return new Bound(vhost, binding, bridge, List.copyOf(starts));
    }

    private static CatalogRecord subscription(String vhost, ByteBuf k, ByteBuf v) {
        int qos = v.readByte();
        int flags = v.readByte();
        return new Subscribed(
                vhost,
                text(k),
                new StoredSubscription(text(k), qos, flag(flags, 0), flag(flags, 1), v.readByte(), v.readInt()));
    }

    private static byte kind(CatalogRecord record) {
        if (record instanceof Host) {
            return HOST;
        } else if (record instanceof DeclaredExchange) {
            return EXCHANGE;
        } else if (record instanceof DeclaredQueue) {
            return QUEUE;
        } else if (record instanceof DeclaredStream) {
            return STREAM;
        } else if (record instanceof Bound) {
            return BINDING;
        } else if (record instanceof Session) {
            return SESSION;
        } else if (record instanceof Subscribed) {
            return SUBSCRIPTION;
        } else if (record instanceof SessionWill) {
            return WILL;
        } else if (record instanceof SetPolicy) {
            return POLICY;
        }
        return IDS;
    }

    private static void string(ByteBuf out, @Nullable String s) {
        if (s == null) {
            out.writeInt(-1);
        } else {
            byte[] bytes = s.getBytes(UTF_8);
            out.writeInt(bytes.length).writeBytes(bytes);
        }
    }

    private static @Nullable String string(ByteBuf in) {
        int length = in.readInt();
        return length < 0 ? null : in.readCharSequence(length, UTF_8).toString();
    }

    private static void bytes(ByteBuf out, byte[] bytes) {
        out.writeInt(bytes.length).writeBytes(bytes);
    }

    private static byte[] bytes(ByteBuf in) {
        int length = in.readInt();
        if (length < 0 || length > in.readableBytes()) {
            throw new IllegalStateException("catalog record is cut short");
        }
        byte[] bytes = new byte[length];
        in.readBytes(bytes);
        return bytes;
    }

    private static String text(ByteBuf in) {
        String s = string(in);
        if (s == null) {
            throw new IllegalStateException("catalog record lacks a name");
        }
        return s;
    }

    private static Principal owner(ByteBuf in, Map<String, Principal> owners) {
        return owners.computeIfAbsent(text(in), Principal::new);
    }

    private static void end(ByteBuf out, Binding.End end) {
        out.writeByte(end.kind().ordinal());
        string(out, end.name());
    }

    private static Binding.End end(ByteBuf in) {
        return new Binding.End(Binding.Kind.values()[in.readByte()], text(in));
    }

    /** Sorted, so that equal maps are equal bytes: they are part of keys. */
    private static void map(ByteBuf out, Map<String, String> map) {
        out.writeInt(map.size());
        new TreeMap<>(map).forEach((name, value) -> {
            string(out, name);
            string(out, value);
        });
    }

    private static Map<String, String> map(ByteBuf in) {
        int count = in.readInt();
        Map<String, String> map = new TreeMap<>();
        for (int i = 0; i < count; i++) {
            map.put(text(in), text(in));
        }
        return Map.copyOf(map);
    }

    private static void flags(ByteBuf out, boolean first, boolean second, boolean third) {
        out.writeByte((first ? 1 : 0) | (second ? 2 : 0) | (third ? 4 : 0));
    }

    private static boolean flag(int flags, int bit) {
        return (flags >>> bit & 1) != 0;
    }
}
