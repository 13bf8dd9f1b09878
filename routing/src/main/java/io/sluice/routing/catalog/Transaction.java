package io.sluice.routing.catalog;

import io.sluice.routing.RoutingException;
import io.sluice.routing.RoutingException.Reason;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Changes that become durable and visible together: tables in the making and the records to append. Later changes of a
 * transaction see earlier ones. Confined to the thread of the catalog.
 */
final class Transaction {
    /** A record to append; a null value deletes what the key names. */
    @SuppressWarnings("ArrayRecordComponent") // carried to the log, never compared
    record Entry(byte[] key, byte @Nullable [] value) {}

    private final Function<String, @Nullable HostEdit> hosts;
    private final LongSupplier ids;
    private final Map<String, HostEdit> edits = new HashMap<>();
    private final List<Entry> entries = new ArrayList<>();
    private final List<Runnable> undo = new ArrayList<>();
    private final Set<String> removed = new HashSet<>();

    private final Map<String, HostTable> savepoint = new HashMap<>();
    private int savedEntries;
    private long reservedIds;
    private int savedUndo;
    private final Set<String> savedRemoved = new HashSet<>();

    Transaction(Function<String, @Nullable HostEdit> hosts, LongSupplier ids) {
        this.hosts = hosts;
        this.ids = ids;
    }

    /** The virtual host as this transaction leaves it. */
    HostEdit host(String vhost) {
        if (removed.contains(vhost)) {
            throw new RoutingException(RoutingException.Reason.NOT_FOUND, "no virtual host '" + vhost + "'");
        }
        HostEdit edit = edits.get(vhost);
        if (edit == null) {
            edit = hosts.apply(vhost);
            if (edit == null) {
                throw new RoutingException(Reason.NOT_FOUND, "no virtual host '" + vhost + "'");
            }
            edits.put(vhost, edit);
            savepoint.put(vhost, edit.freeze());
        }
        return edit;
    }

    boolean hasHost(String vhost) {
        return !removed.contains(vhost) && (edits.containsKey(vhost) || hosts.apply(vhost) != null);
    }

    /** Adds a virtual host that is not there. */
    void add(HostEdit edit, CatalogRecord.Host record) {
        edits.put(edit.vhost, edit);
        log(record, true);
    }

    /** Takes a virtual host away, with the records of all that is in it. */
    void removeHost(String vhost, List<CatalogRecord> records) {
        records.forEach(record -> log(record, false));
        removed.add(vhost);
    }

    /** Virtual hosts that are no longer there. */
    Set<String> removed() {
        return removed;
    }

    void put(CatalogRecord record, boolean durable) {
        host(record.vhost()).put(record);
        if (durable) {
            log(record, true);
        }
    }

    void remove(CatalogRecord record, boolean durable) {
        host(record.vhost()).remove(record);
        if (durable) {
            log(record, false);
        }
    }

    /** Reserves the numbers below {@code limit}, whatever is rolled back. */
    void reserve(long limit) {
        reservedIds = limit;
    }

    private void log(CatalogRecord record, boolean present) {
        entries.add(new Entry(CatalogCodec.key(record), present ? CatalogCodec.value(record) : null));
    }

    /** A number that was never given before. */
    long nextId() {
        return ids.getAsLong();
    }

    /** Undoes a step outside the catalog if the transaction fails. */
    void onAbort(Runnable step) {
        undo.add(step);
    }

    /** Marks the state that {@link #rollback} returns to. */
    void save() {
        edits.forEach((vhost, edit) -> savepoint.put(vhost, edit.freeze()));
        savedEntries = entries.size();
        savedUndo = undo.size();
        savedRemoved.clear();
        savedRemoved.addAll(removed);
    }

    /** Takes back everything since {@link #save}. */
    void rollback() {
        edits.keySet().retainAll(savepoint.keySet());
        removed.retainAll(savedRemoved);
        savepoint.forEach((vhost, table) -> {
            HostEdit edit = edits.get(vhost);
            if (edit != null) {
                edit.reset(table);
            }
        });
        entries.subList(savedEntries, entries.size()).clear();
        runUndo(savedUndo);
    }

    /** Takes back everything. */
    void abort() {
        runUndo(0);
    }

    /** What has to be appended. */
    List<Entry> entries() {
        if (reservedIds == 0) {
            return entries;
        }
        CatalogRecord.Ids ids = new CatalogRecord.Ids("", reservedIds);
        List<Entry> all = new ArrayList<>(entries);
        all.add(new Entry(CatalogCodec.key(ids), CatalogCodec.value(ids)));
        return all;
    }

    Map<String, HostEdit> edits() {
        return edits;
    }

    private void runUndo(int from) {
        for (int i = undo.size() - 1; i >= from; i--) {
            undo.remove(i).run();
        }
    }
}
