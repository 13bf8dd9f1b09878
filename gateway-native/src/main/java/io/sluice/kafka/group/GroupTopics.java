package io.sluice.kafka.group;

import io.sluice.kafka.convert.Topics;
import io.sluice.log.StreamInfo;
import io.sluice.routing.Broker;
import io.sluice.routing.RoutingTable;
import io.sluice.routing.VirtualHost;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.metadata.PartitionRecord;
import org.apache.kafka.common.metadata.RemoveTopicRecord;
import org.apache.kafka.common.metadata.TopicRecord;
import org.apache.kafka.coordinator.group.GroupCoordinator;
import org.apache.kafka.image.MetadataDelta;
import org.apache.kafka.image.MetadataImage;
import org.apache.kafka.image.MetadataProvenance;

/** The topics as the coordinator wants them: a metadata image, kept up by differences. Confined to one thread. */
public final class GroupTopics {
    /** A topic as it is now. */
    public record Topic(String name, Uuid id, int partitions) {}

    private final int nodeId;
    private MetadataImage image = MetadataImage.EMPTY;
    private Map<Uuid, Topic> known = new HashMap<>();
    private long version;

    GroupTopics(int nodeId) {
        this.nodeId = nodeId;
    }

    /** All topics of all virtual hosts, with stored names. Any thread. */
    public static List<Topic> present(Broker broker) {
        List<Topic> present = new ArrayList<>();
        for (VirtualHost host : broker.virtualHosts()) {
            GroupScope scope = GroupScope.of(host.name());
            RoutingTable table = host.table();
            for (String streamName : table.streamNames()) {
                String name = Topics.topicName(streamName);
                StreamInfo stream = name == null ? null : table.stream(streamName);
                if (name != null && stream != null) {
                    present.add(new Topic(scope.in(name), Topics.topicId(stream), stream.partitions()));
                }
            }
        }
        return present;
    }

    /** Passes on what changed since the last call; nothing if nothing did. */
    void update(List<Topic> topics, GroupCoordinator coordinator) {
        Map<Uuid, Topic> now = new HashMap<>();
        topics.forEach(topic -> now.put(topic.id(), topic));
        if (now.equals(known)) {
            return;
        }
        MetadataDelta delta = new MetadataDelta.Builder().setImage(image).build();
        for (Topic topic : known.values()) {
            if (!now.containsKey(topic.id())) {
                delta.replay(new RemoveTopicRecord().setTopicId(topic.id()));
            }
        }
        for (Topic topic : now.values()) {
            Topic before = known.get(topic.id());
            if (before == null) {
                delta.replay(new TopicRecord().setName(topic.name()).setTopicId(topic.id()));
            }
            for (int i = before == null ? 0 : before.partitions(); i < topic.partitions(); i++) {
                delta.replay(new PartitionRecord()
                        .setTopicId(topic.id())
                        .setPartitionId(i)
                        .setReplicas(List.of(nodeId))
                        .setIsr(List.of(nodeId))
                        .setDirectories(List.of(Uuid.ZERO_UUID))
                        .setLeader(nodeId));
            }
        }
        version++;
        image = delta.apply(new MetadataProvenance(version, 0, 0, true));
        known = now;
        coordinator.onMetadataUpdate(delta, image);
    }
}
