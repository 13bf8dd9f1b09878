package io.sluice.kafka;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.sluice.access.Authorizer;
import io.sluice.access.Caller;
import io.sluice.access.Principal;
import io.sluice.engine.LogEngine;
import io.sluice.engine.ShardLease;
import io.sluice.io.Clock;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamId;
import io.sluice.log.StreamInfo;
import io.sluice.queue.Queues;
import io.sluice.routing.Broker;
import io.sluice.routing.RoutingException;
import io.sluice.routing.RoutingTable;
import io.sluice.routing.VirtualHost;
import io.sluice.shard.PublishBatch;
import io.sluice.shard.ShardProxy;
import io.sluice.shard.Transaction;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/** A node behind the native door for tests: streams by name over {@link FilePartition}s, one shard thread, a real listener. */
final class TestNode implements AutoCloseable {
    final Map<StreamId, StreamInfo> streams = new ConcurrentHashMap<>();
    final Map<String, StreamId> names = new ConcurrentHashMap<>();
    final Map<PartitionId, FilePartition> partitions = new ConcurrentHashMap<>();
    /** The virtual host that clients who connect from now on are in. */
    volatile String vhost = "/";
    /** While true the shard takes batches and keeps them to itself, as with a disk that hangs. */
    volatile boolean hanging;
    /** What the shard answers instead of appending. */
    volatile LogException refusal;
    /** Appends answered with {@link #refusal}. */
    final AtomicInteger refused = new AtomicInteger();
    /** The next so many appends are refused as a congested shard does. */
    final AtomicInteger refuse = new AtomicInteger();

    private final Path directory;
    private final NativeSettings settings;
    private final ExecutorService shard = Executors.newSingleThreadExecutor();
    private final ExecutorService pool = Executors.newFixedThreadPool(2);
    private final EventLoopGroup loops = new MultiThreadIoEventLoopGroup(2, NioIoHandler.newFactory());
    private final List<Runnable> streamListeners = new CopyOnWriteArrayList<>();
    private final List<Host> hosts = List.of(new Host("/", names), new Host("other", new ConcurrentHashMap<>()));
    private NativeGateway gateway;
    private Channel listener;

    TestNode(Path directory, NativeSettings settings) {
        this.directory = directory;
        this.settings = settings;
        startGateway();
    }

    void startGateway() {
        gateway = new NativeGateway(
                broker(),
                credentials -> CompletableFuture.completedFuture(
                        Optional.of(new Caller(Principal.ANONYMOUS, vhost, Authorizer.PERMIT_ALL, "kafka test"))),
                settings);
        gateway.start();
        listener = new ServerBootstrap()
                .group(loops)
                .channel(NioServerSocketChannel.class)
                .childHandler(gateway.initializer())
                .bind("127.0.0.1", 0)
                .syncUninterruptibly()
                .channel();
    }

    void stopGateway() {
        listener.close().syncUninterruptibly();
        gateway.close();
    }

    InetSocketAddress address() {
        return (InetSocketAddress) listener.localAddress();
    }

    String bootstrap() {
        return "127.0.0.1:" + address().getPort();
    }

    private Broker broker() {
        LogEngine engine = engine();
        Clock clock = new Clock() {
            @Override
            public long epochMillis() {
                return System.currentTimeMillis();
            }

            @Override
            public long nanoTime() {
                return System.nanoTime();
            }
        };
        ShardProxy proxy = new Shard();
        return new Broker() {
            @Override
            public VirtualHost virtualHost(String name) {
                return hosts.stream()
                        .filter(host -> host.name.equals(name))
                        .map(host -> host.api)
                        .findAny()
                        .orElse(null);
            }

            @Override
            public Collection<VirtualHost> virtualHosts() {
                return hosts.stream().map(host -> host.api).toList();
            }

            @Override
            public ShardProxy shard() {
                return proxy;
            }

            @Override
            public LogEngine engine() {
                return engine;
            }

            @Override
            public Queues queues() {
                throw new UnsupportedOperationException();
            }

            @Override
            public Clock clock() {
                return clock;
            }

            @Override
            public CompletionStage<Boolean> describeVirtualHost(
                    Caller caller, String name, VirtualHost.Description description) {
                throw new UnsupportedOperationException();
            }

            @Override
            public CompletionStage<Boolean> deleteVirtualHost(Caller caller, String name) {
                throw new UnsupportedOperationException();
            }

            @Override
            public void onVirtualHostDeleted(Consumer<String> listener) {}

            @Override
            public void onStreamsChanged(Runnable listener) {
                streamListeners.add(listener);
            }
        };
    }

    private StreamInfo put(StreamInfo info) {
        streams.put(info.id(), info);
        for (int i = 0; i < info.partitions(); i++) {
            partitions.computeIfAbsent(
                    new PartitionId(info.id(), i),
                    id -> new FilePartition(
                            directory.resolve(info.id().uuid() + "-" + id.index()), id, () -> streams.get(info.id())));
        }
        return info;
    }

    private LogEngine engine() {
        return proxy(LogEngine.class, (proxy, method, args) -> switch (method.getName()) {
            case "clusterId" -> "test-cluster";
            case "nodeId" -> 1;
            case "createStream" -> {
                StreamInfo present = streams.get((StreamId) args[0]);
                yield CompletableFuture.completedFuture(
                        present != null
                                ? present
                                : put(new StreamInfo(
                                        (StreamId) args[0], (String) args[1], (Integer) args[2], (StreamConfig)
                                                args[3])));
            }
            case "partition" -> partitions.get((PartitionId) args[0]);
            case "readerPool" -> pool;
            case "acquire" -> new Lease();
            default -> throw new UnsupportedOperationException(method.getName());
        });
    }

    /** A virtual host with streams only. */
    private final class Host {
        final String name;
        final Map<String, StreamId> names;
        final Map<String, Map<String, String>> configs = new ConcurrentHashMap<>();
        final VirtualHost api;
        volatile RoutingTable table;

        Host(String name, Map<String, StreamId> names) {
            this.name = name;
            this.names = names;
            table = newTable();
            api = api();
        }

        private RoutingTable newTable() {
            return proxy(RoutingTable.class, (proxy, method, args) -> switch (method.getName()) {
                case "stream" -> names.containsKey((String) args[0]) ? streams.get(names.get((String) args[0])) : null;
                case "streamNames" -> List.copyOf(names.keySet());
                case "queue" -> null;
                default -> throw new UnsupportedOperationException(method.getName());
            });
        }

        private VirtualHost api() {
            return proxy(VirtualHost.class, (proxy, method, args) -> switch (method.getName()) {
                case "name" -> name;
                case "table" -> table;
                case "declareStream" ->
                    declare((String) args[1], (Integer) args[2], (StreamConfig) args[3], new HashMap<>((Map<?, ?>)
                            args[4]));
                case "deleteStream" -> {
                    StreamId id = names.remove((String) args[1]);
                    partitions.keySet().removeIf(partition -> partition.stream().equals(id));
                    changed();
                    yield CompletableFuture.completedFuture(null);
                }
                case "addPartitions" -> {
                    StreamInfo old = streams.get(names.get((String) args[1]));
                    StreamInfo grown = put(new StreamInfo(old.id(), old.name(), (Integer) args[2], old.config()));
                    changed();
                    yield CompletableFuture.completedFuture(grown);
                }
                case "alterStream" -> {
                    StreamInfo old = streams.get(names.get((String) args[1]));
                    configs.put(old.name(), copy((Map<?, ?>) args[3]));
                    yield CompletableFuture.completedFuture(
                            put(new StreamInfo(old.id(), old.name(), old.partitions(), (StreamConfig) args[2])));
                }
                case "streamConfigs" -> configs.getOrDefault((String) args[0], Map.of());
                case "streamName" -> {
                    StreamInfo info = streams.get((StreamId) args[0]);
                    yield info == null || !info.id().equals(names.get(info.name())) ? null : info.name();
                }
                default -> throw new UnsupportedOperationException(method.getName());
            });
        }

        private CompletableFuture<StreamInfo> declare(
                String stream, int count, StreamConfig config, Map<?, ?> explicit) {
            if (names.containsKey(stream)) {
                return CompletableFuture.failedFuture(
                        new RoutingException(RoutingException.Reason.PRECONDITION_FAILED, "it is there"));
            }
            StreamInfo info = put(new StreamInfo(new StreamId(UUID.randomUUID()), stream, count, config));
            names.put(stream, info.id());
            configs.put(stream, copy(explicit));
            changed();
            return CompletableFuture.completedFuture(info);
        }

        private void changed() {
            table = newTable();
            streamListeners.forEach(Runnable::run);
        }
    }

    private static Map<String, String> copy(Map<?, ?> map) {
        Map<String, String> copy = new HashMap<>();
        map.forEach((key, value) -> copy.put((String) key, (String) value));
        return copy;
    }

    private static <T> T proxy(Class<T> type, InvocationHandler handler) {
        return type.cast(Proxy.newProxyInstance(TestNode.class.getClassLoader(), new Class<?>[] {type}, handler));
    }

    /** Completes each pass at once. */
    private final class Lease implements ShardLease {
        private long pass;

        @Override
        public LogPartition writable(PartitionId id) {
            return partitions.get(id);
        }

        @Override
        public boolean hasStaged() {
            return false;
        }

        @Override
        public boolean syncInFlight() {
            return false;
        }

        @Override
        public long commit(Runnable wakeUp) {
            wakeUp.run();
            return ++pass;
        }

        @Override
        public long poll() {
            partitions.values().forEach(FilePartition::commit);
            return pass;
        }

        @Override
        public void release() {}
    }

    private final class Shard implements ShardProxy {
        @Override
        public void execute(Runnable task) {
            shard.execute(task);
        }

        @Override
        public boolean submit(PublishBatch batch) {
            shard.execute(() -> {
                batch.releaseBuffer();
                batch.completion().executor().execute(() -> batch.completion().completed(batch, refusal));
            });
            return true;
        }

        @Override
        public void commit(Transaction transaction) {
            throw new AssertionError("no transaction was expected");
        }

        @Override
        public boolean produce(
                Caller caller, PartitionId id, ByteBuf batches, Durability durability, ProduceCompletion completion) {
            if (refuse.getAndUpdate(n -> Math.max(0, n - 1)) > 0) {
                return false;
            }
            LogException error = refusal;
            if (error != null || hanging) {
                batches.release();
                if (error != null) {
                    refused.incrementAndGet();
                    completion.executor().execute(() -> completion.completed(null, error));
                }
                return true;
            }
            shard.execute(() -> {
                FilePartition partition = partitions.get(id);
                LogPartition.Appended appended = partition.append(batches, durability);
                partition.commit();
                completion.executor().execute(() -> completion.completed(appended, (LogException) null));
            });
            return true;
        }

        @Override
        public boolean isCongested() {
            return refuse.get() > 0;
        }

        @Override
        public void onReady(Executor executor, Runnable ready) {
            shard.execute(() -> executor.execute(ready));
        }

        @Override
        public boolean inShard() {
            return false;
        }
    }

    @Override
    public void close() {
        stopGateway();
        loops.shutdownGracefully(0, 1, java.util.concurrent.TimeUnit.SECONDS).syncUninterruptibly();
        shard.shutdownNow();
        pool.shutdownNow();
    }
}
