package io.sluice.routing.catalog;

import static io.sluice.routing.catalog.Names.permit;
import static io.sluice.routing.catalog.Names.refuse;

import io.sluice.access.Caller;
import io.sluice.access.Operation;
import io.sluice.access.Resource;
import io.sluice.queue.QueueId;
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueSpec;
import io.sluice.routing.Binding;
import io.sluice.routing.ExchangeInfo;
import io.sluice.routing.QueueDeclaration;
import io.sluice.routing.RoutingException.Reason;
import io.sluice.routing.Sessions;
import io.sluice.routing.catalog.CatalogRecord.DeclaredExchange;
import io.sluice.routing.catalog.CatalogRecord.DeclaredQueue;
import io.sluice.routing.catalog.HostTable.QueueEntry;
import io.sluice.routing.exchange.Exchange;
import io.sluice.routing.exchange.HashExchange;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Changes of exchanges and queues, as parts of a transaction. */
final class ObjectChanges {
    private static final Pattern INTEGER = Pattern.compile("-?[0-9]{1,18}");

    private final Catalog catalog;
    private final String vhost;
    private final BindingChanges bindings;

    ObjectChanges(Catalog catalog, String vhost, BindingChanges bindings) {
        this.catalog = catalog;
        this.vhost = vhost;
        this.bindings = bindings;
    }

    CompletionStage<ExchangeInfo> declareExchange(Transaction tx, Caller caller, ExchangeInfo wanted) {
        permit(caller, Operation.CONFIGURE, Resource.Kind.EXCHANGE, wanted.name());
        Exchange present = tx.host(vhost).exchanges.get(wanted.name());
        if (present != null) {
            String difference =
                    difference(present.info(), wanted, "exchange '" + wanted.name() + "' in vhost '" + vhost + "'");
            if (difference != null) {
                throw refuse(Reason.PRECONDITION_FAILED, difference);
            }
            return CompletableFuture.completedFuture(present.info());
        }
        Names.checkExchange(wanted.name());
        String refusal =
                wanted.type() == ExchangeInfo.Type.CONSISTENT_HASH ? HashExchange.refusal(wanted.arguments()) : null;
        if (refusal != null) {
            throw refuse(Reason.PRECONDITION_FAILED, refusal);
        }
        String alternate = wanted.alternate();
        if (alternate != null) {
            permit(caller, Operation.READ, Resource.Kind.EXCHANGE, wanted.name());
            permit(caller, Operation.WRITE, Resource.Kind.EXCHANGE, alternate);
        }
        tx.put(new DeclaredExchange(vhost, wanted, caller.principal()), wanted.durable());
        return CompletableFuture.completedFuture(wanted);
    }

    CompletionStage<Boolean> deleteExchange(Transaction tx, Caller caller, String name, boolean ifUnused) {
        permit(caller, Operation.CONFIGURE, Resource.Kind.EXCHANGE, name);
        HostEdit host = tx.host(vhost);
        Exchange present = host.exchanges.get(name);
        if (present == null) {
            return CompletableFuture.completedFuture(false);
        }
        if (name.isEmpty() || name.startsWith("amq.")) {
            throw refuse(Reason.ACCESS_REFUSED, "exchange '" + name + "' is predeclared and stays");
        }
        if (ifUnused && host.bySource.containsKey(new Binding.End(Binding.Kind.EXCHANGE, name))) {
            throw refuse(Reason.IN_USE, "exchange '" + name + "' in vhost '" + vhost + "' in use");
        }
        bindings.removeExchange(tx, present.info());
        return CompletableFuture.completedFuture(true);
    }

    CompletionStage<QueueRef> declareQueue(Transaction tx, Caller caller, QueueDeclaration wanted) {
        permit(caller, Operation.CONFIGURE, Resource.Kind.QUEUE, wanted.name());
        HostEdit host = tx.host(vhost);
        QueueEntry present = host.queues.get(wanted.name());
        if (present != null) {
            String difference =
                    difference(present.declaration(), wanted, "queue '" + wanted.name() + "' in vhost '" + vhost + "'");
            if (difference != null) {
                throw refuse(Reason.PRECONDITION_FAILED, difference);
            }
            return CompletableFuture.completedFuture(present.ref());
        }
        Names.checkQueue(wanted.name());
        String deadLetters = wanted.policy().deadLetterExchange();
        if (deadLetters != null) {
            permit(caller, Operation.READ, Resource.Kind.QUEUE, wanted.name());
            permit(
                    caller,
                    Operation.WRITE,
                    Resource.Kind.EXCHANGE,
                    deadLetters.isEmpty() ? "amq.default" : deadLetters);
        }
        return create(tx, caller, wanted);
    }

    /** Starts the queue, then records it. */
    CompletionStage<QueueRef> create(Transaction tx, Caller caller, QueueDeclaration wanted) {
        if (tx.host(vhost).streams.containsKey(wanted.name())) {
            throw refuse(
                    Reason.PRECONDITION_FAILED,
                    "'" + wanted.name() + "' in vhost '" + vhost + "' is a stream, not a queue");
        }
        boolean durable = wanted.durable() && !wanted.exclusive();
        QueueId id = new QueueId(tx.nextId());
        QueueSpec spec = new QueueSpec(
                id,
                vhost,
                wanted.name(),
                durable,
                PolicyChanges.inForce(tx.host(vhost).policies, wanted),
                caller.principal());
        tx.onAbort(() -> catalog.queues.delete(id));
        return catalog.queues.open(spec).thenApply(ref -> {
            tx.put(new DeclaredQueue(vhost, id, wanted, caller.principal()), durable);
            return ref;
        });
    }

    /** Takes the queue and its bindings out of the catalog; answers its id, so that its messages go once that is durable. */
    CompletionStage<QueueId> deleteQueue(
            Transaction tx, Caller caller, String name, boolean ifUnused, boolean ifEmpty) {
        permit(caller, Operation.CONFIGURE, Resource.Kind.QUEUE, name);
        QueueEntry present = tx.host(vhost).queues.get(name);
        if (present == null) {
            throw refuse(Reason.NOT_FOUND, "no queue '" + name + "' in vhost '" + vhost + "'");
        }
        if (name.startsWith(Sessions.QUEUE_PREFIX)) {
            throw refuse(Reason.ACCESS_REFUSED, "queue '" + name + "' belongs to an MQTT session");
        }
        if (!ifUnused && !ifEmpty) {
            return CompletableFuture.completedFuture(remove(tx, present));
        }
        return present.ref().currentStats().thenApply(stats -> {
            if (ifUnused && stats.consumers() > 0) {
                throw refuse(Reason.IN_USE, "queue '" + name + "' in vhost '" + vhost + "' in use");
            }
            if (ifEmpty && stats.ready() > 0) {
                throw refuse(Reason.NOT_EMPTY, "queue '" + name + "' in vhost '" + vhost + "' not empty");
            }
            return remove(tx, present);
        });
    }

    /** Takes a queue out that nobody used for as long as it may be unused; null if it is in use or gone meanwhile. */
    CompletionStage<@Nullable QueueId> expireQueue(Transaction tx, QueueSpec expired) {
        QueueEntry present = tx.host(vhost).queues.get(expired.name());
        if (present == null || !present.ref().id().equals(expired.id())) {
            return CompletableFuture.completedFuture(null);
        }
        return present.ref().currentStats().thenApply(stats -> stats.consumers() > 0 ? null : remove(tx, present));
    }

    QueueId remove(Transaction tx, QueueEntry entry) {
        String name = entry.declaration().name();
        bindings.removeAllOf(tx, new Binding.End(Binding.Kind.QUEUE, name));
        QueueId id = entry.ref().id();
        tx.remove(
                new DeclaredQueue(vhost, id, entry.declaration(), entry.owner()),
                entry.ref().spec().durable());
        return id;
    }

    /** As for queues; of the arguments only the alternate counts, as with RabbitMQ, and what a delaying exchange delays for. */
    private static @Nullable String difference(ExchangeInfo present, ExchangeInfo wanted, String exchange) {
        if (!present.declaredType().equals(wanted.declaredType())) {
            return inequivalent("type", exchange, quoted(wanted.declaredType()), quoted(present.declaredType()));
        }
        if (present.durable() != wanted.durable()) {
            return inequivalent("durable", exchange, quoted(wanted.durable()), quoted(present.durable()));
        }
        if (present.autoDelete() != wanted.autoDelete()) {
            return inequivalent("auto_delete", exchange, quoted(wanted.autoDelete()), quoted(present.autoDelete()));
        }
        if (present.internal() != wanted.internal()) {
            return inequivalent("internal", exchange, quoted(wanted.internal()), quoted(present.internal()));
        }
        String argument = argument(ExchangeInfo.ALTERNATE, exchange, wanted.alternate(), present.alternate());
        return argument != null || present.type() == wanted.type()
                ? argument
                : argument(
                        ExchangeInfo.DELAYED_TYPE,
                        exchange,
                        wanted.type().text(),
                        present.type().text());
    }

    private static @Nullable String argument(
            String name, String of, @Nullable String received, @Nullable String current) {
        if (Objects.equals(received, current)) {
            return null;
        }
        return inequivalent(
                name,
                of,
                received == null ? "none" : current == null ? typed(received) : quoted(received),
                current == null ? "none" : received == null ? typed(current) : quoted(current));
    }

    /** A value that stands against none, with the type that AMQP clients give such a value. */
    private static String typed(String value) {
        String type = "longstr";
        if (value.equals("true") || value.equals("false")) {
            type = "bool";
        } else if (INTEGER.matcher(value).matches()) {
            type = Long.parseLong(value) == (int) Long.parseLong(value) ? "signedint" : "long";
        }
        return "the value '" + value + "' of type '" + type + "'";
    }

    /** The first argument in which two declarations differ, with both values, in RabbitMQ's words; null if there is none. */
    private static @Nullable String difference(QueueDeclaration present, QueueDeclaration wanted, String queue) {
        if (present.durable() != wanted.durable()) {
            return inequivalent("durable", queue, quoted(wanted.durable()), quoted(present.durable()));
        }
        if (present.exclusive() != wanted.exclusive()) {
            return inequivalent("exclusive", queue, quoted(wanted.exclusive()), quoted(present.exclusive()));
        }
        if (present.autoDelete() != wanted.autoDelete()) {
            return inequivalent("auto_delete", queue, quoted(wanted.autoDelete()), quoted(present.autoDelete()));
        }
        Set<String> names = new TreeSet<>(present.arguments().keySet());
        names.addAll(wanted.arguments().keySet());
        for (String name : names) {
            // the rest means nothing to a queue
            String difference = name.startsWith("x-")
                    ? argument(name, queue, argument(wanted, name), argument(present, name))
                    : null;
            if (difference != null) {
                return difference;
            }
        }
        return present.policy().equals(wanted.policy()) ? null : "inequivalent arguments for " + queue;
    }

    /** A queue without a type is a classic one. */
    private static @Nullable String argument(QueueDeclaration declaration, String name) {
        String value = declaration.arguments().get(name);
        return value == null && name.equals("x-queue-type") ? "classic" : value;
    }

    private static String quoted(Object value) {
        return "'" + value + "'";
    }

    private static String inequivalent(String name, String of, String received, String current) {
        return "inequivalent arg '" + name + "' for " + of + ": received " + received + " but current is " + current;
    }
}
