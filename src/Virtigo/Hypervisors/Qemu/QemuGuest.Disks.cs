using System.Text.Json;
using Virtigo.Host;

namespace Virtigo.Hypervisors.Qemu;

/// <content>Faults of disks.</content>
internal sealed partial class QemuGuest
{
    private const int SlowestDisk = 1024;
    private readonly Dictionary<int, string> _faultNodes = [];
    private readonly Dictionary<int, (string Node, VolatileDisk Disk)> _volatile = [];

    // Nodes made while the guest ran go only when they are deleted; those of the command line go when nothing uses them.
    private readonly HashSet<int> _reopened = [];
    private int _faults;

    /// <inheritdoc/>
    public async Task SetDiskFaultAsync(int disk, DiskFault fault, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(fault);
        ArgumentOutOfRangeException.ThrowIfNegative(disk);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(disk, _config.Disks.Count);
        if (fault.Kind == DiskFaultKind.Slow)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(fault.BytesPerSecond, SlowestDisk, nameof(fault));
        }

        if (fault.Kind == DiskFaultKind.LostWrites)
        {
            HostTools.Require(VolatileDisk.Program);
            if (_config.Disks[disk].ReadOnly)
            {
                throw new VirtigoException(FailureKind.Usage, $"Disk {disk} of guest {_config.Name} cannot be written, so no write can be lost.");
            }
        }

        await InTurnAsync(() => ExchangeFaultAsync(disk, fault, cancellationToken), cancellationToken);
    }

    private async Task ExchangeFaultAsync(int disk, DiskFault fault, CancellationToken cancellationToken)
    {
        await ThrottleAsync(disk, fault.Kind == DiskFaultKind.Slow ? fault.BytesPerSecond : 0, cancellationToken);
        if (_faultNodes.Remove(disk, out string? old))
        {
            await SetNodeAsync(disk, QemuCommandLine.DiskNode(disk), cancellationToken);
            await DeleteNodeAsync(old, cancellationToken);
        }

        switch (fault.Kind, _volatile.TryGetValue(disk, out (string Node, VolatileDisk Disk) cached))
        {
            case (DiskFaultKind.LostWrites, true):
                cached.Disk.Fault = fault;
                break;
            case (DiskFaultKind.LostWrites, false):
                await WhileStoppedAsync(() => MakeVolatileAsync(disk, fault));
                break;
            case (_, true):
                await WhileStoppedAsync(() => MakeWholeAsync(disk, cached.Node, cached.Disk));
                break;
        }

        if (fault.Kind is DiskFaultKind.Error or DiskFaultKind.Full)
        {
            string node = $"fault{disk}-{++_faults}";
            await AddFaultNodeAsync(node, disk, fault.Kind, cancellationToken);
            await SetNodeAsync(disk, node, cancellationToken);
            _faultNodes[disk] = node;
        }
    }

    /// <summary>Does something while the guest's processors stand still and no request is under way.</summary>
    private async Task WhileStoppedAsync(Func<Task> action)
    {
        JsonElement status = await QueryAsync("The guest does not say whether it runs", "query-status", null, CancellationToken.None);
        bool running = status.TryGetProperty("running", out JsonElement value) && value.ValueKind == JsonValueKind.True;
        if (running)
        {
            await CommandAsync("The guest cannot be paused", "stop", null, CancellationToken.None);
        }

        try
        {
            await action();
        }
        catch
        {
            await (running ? QuietlyAsync(() => CommandAsync("The guest cannot go on", "cont", null, CancellationToken.None)) : Task.CompletedTask);
            throw;
        }

        if (running)
        {
            await CommandAsync("The guest cannot go on", "cont", null, CancellationToken.None);
        }
    }

    /// <summary>Tidies up after a failure, which is what the caller is told, not what else fails now.</summary>
    private static async Task QuietlyAsync(Func<Task> action)
    {
        try
        {
            await action();
        }
        catch (VirtigoException)
        {
            // The first failure tells more.
        }
    }

    /// <summary>Puts a disk behind a cache of ours: its file goes from QEMU to the program that keeps it from now on.</summary>
    private async Task MakeVolatileAsync(int disk, DiskFault fault)
    {
        string socket = QemuCommandLine.CacheSocket(_config, disk);
        string node = $"volatile{disk}-{++_faults}";
        var cached = VolatileDisk.Listen(_config.Disks[disk], await DiskSizeAsync(disk), fault, socket, QemuCommandLine.StorageSocket(_config, disk));
        bool exchanged = false;
        try
        {
            await AddCachedNodeAsync(node, socket);
            await SetNodeAsync(disk, node, CancellationToken.None);
            exchanged = true;
            if (_reopened.Remove(disk))
            {
                await DeleteNodeAsync(QemuCommandLine.DiskNode(disk), CancellationToken.None);
            }

            await cached.OpenAsync(CancellationToken.None);
            _volatile[disk] = (node, cached);
        }
        catch
        {
            // Its file must be free before QEMU can have it again, and what QEMU asks for until then be answered.
            await cached.ReleaseAsync();
            await QuietlyAsync(() => exchanged ? ReopenAsync(disk, node) : DeleteNodeAsync(node, CancellationToken.None));
            await cached.DisposeAsync();
            throw;
        }
    }

    /// <summary>Writes out what a cache of ours holds, and gives QEMU the disk's file again.</summary>
    private async Task MakeWholeAsync(int disk, string node, VolatileDisk cached)
    {
        await cached.CloseAsync(powerCut: false);
        await ReopenAsync(disk, node);
        _volatile.Remove(disk);
        await cached.DisposeAsync();
    }

    private async Task ReopenAsync(int disk, string node)
    {
        await AddDiskNodeAsync(disk);
        _reopened.Add(disk);
        await SetNodeAsync(disk, QemuCommandLine.DiskNode(disk), CancellationToken.None);
        await DeleteNodeAsync(node, CancellationToken.None);
    }

    /// <summary>Closes the disks whose cache is ours, after QEMU has ended.</summary>
    /// <param name="powerCut">Whether it ended as by a power cut.</param>
    /// <returns>What could not be stored; null when all is well.</returns>
    private async Task<string?> CloseDisksAsync(bool powerCut)
    {
        string? problem = null;
        await InTurnAsync(async () =>
        {
            foreach ((_, VolatileDisk disk) in _volatile.Values)
            {
                await disk.DrainAsync();
                try
                {
                    await disk.CloseAsync(powerCut);
                }
                catch (VirtigoException error)
                {
                    problem ??= error.Message;
                }

                await disk.DisposeAsync();
            }

            _volatile.Clear();
        }, CancellationToken.None);
        return problem;
    }

    /// <summary>The size of a disk, in bytes.</summary>
    private async Task<long> DiskSizeAsync(int disk)
    {
        JsonElement nodes = await QueryAsync("The disk's size is not known", "query-named-block-nodes", writer => writer.WriteBoolean("flat", true), CancellationToken.None);
        if (nodes.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement node in nodes.EnumerateArray().Where(node => QmpMessage.Text(node, "node-name") == QemuCommandLine.DiskNode(disk)))
            {
                if (node.TryGetProperty("image", out JsonElement image) && image.ValueKind == JsonValueKind.Object
                    && image.TryGetProperty("virtual-size", out JsonElement size) && size.ValueKind == JsonValueKind.Number
                    && size.TryGetInt64(out long bytes) && bytes >= 0)
                {
                    return bytes;
                }
            }
        }

        throw new VirtigoException(FailureKind.Guest, $"QEMU does not tell the size of disk {disk} of guest {_config.Name}.");
    }

    private Task AddCachedNodeAsync(string node, string socket) =>
        CommandAsync("The disk's cache cannot be exchanged", "blockdev-add", writer =>
        {
            writer.WriteString("driver", "nbd");
            writer.WriteString("node-name", node);
            writer.WriteString("discard", "unmap");
            writer.WriteStartObject("server");
            writer.WriteString("type", "unix");
            writer.WriteString("path", socket);
            writer.WriteEndObject();
        }, CancellationToken.None);

    /// <summary>A disk's own node, as the command line makes it.</summary>
    private Task AddDiskNodeAsync(int disk) =>
        CommandAsync("The disk cannot be opened again", "blockdev-add", writer =>
        {
            GuestDisk what = _config.Disks[disk];
            writer.WriteString("driver", QemuCommandLine.Driver(what));
            writer.WriteString("node-name", QemuCommandLine.DiskNode(disk));
            writer.WriteString("detect-zeroes", "unmap");
            WriteSettings(writer, what);
            writer.WriteStartObject("file");
            writer.WriteString("driver", "file");
            writer.WriteString("filename", what.Path);
            WriteSettings(writer, what);
            writer.WriteEndObject();
        }, CancellationToken.None);

    private static void WriteSettings(Utf8JsonWriter writer, GuestDisk disk)
    {
        writer.WriteString("discard", "unmap");
        writer.WriteStartObject("cache");
        writer.WriteBoolean("direct", false);
        writer.WriteBoolean("no-flush", disk.Unsafe);
        writer.WriteEndObject();
    }

    private Task DeleteNodeAsync(string node, CancellationToken cancellationToken) =>
        CommandAsync("The disk's fault cannot be ended", "blockdev-del", writer => writer.WriteString("node-name", node), cancellationToken);

    private Task ThrottleAsync(int disk, long bytesPerSecond, CancellationToken cancellationToken) =>
        CommandAsync("The disk cannot be slowed down", "block_set_io_throttle", writer =>
        {
            writer.WriteString("device", QemuCommandLine.DiskBackend(disk));
            writer.WriteNumber("bps", bytesPerSecond);
            foreach (string other in (string[])["bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr"])
            {
                writer.WriteNumber(other, 0);
            }
        }, cancellationToken);

    /// <summary>A filter above the disk's own node: it stands in its place while the fault lasts.</summary>
    private Task AddFaultNodeAsync(string node, int disk, DiskFaultKind kind, CancellationToken cancellationToken) =>
        CommandAsync("The disk cannot be made faulty", "blockdev-add", writer =>
        {
            writer.WriteString("driver", "blkdebug");
            writer.WriteString("node-name", node);
            writer.WriteString("image", QemuCommandLine.DiskNode(disk));
            writer.WriteStartArray("inject-error");
            foreach (string iotype in kind == DiskFaultKind.Full ? (string[])["write"] : ["read", "write"])
            {
                writer.WriteStartObject();
                writer.WriteString("event", "none");
                writer.WriteString("iotype", iotype);
                writer.WriteNumber("errno", 5);
                writer.WriteBoolean("once", false);
                writer.WriteBoolean("immediately", false);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        }, cancellationToken);

    private Task SetNodeAsync(int disk, string node, CancellationToken cancellationToken) =>
        CommandAsync("The disk cannot be exchanged", "qom-set", writer =>
        {
            writer.WriteString("path", "/machine/peripheral/" + QemuCommandLine.DiskDevice(disk));
            writer.WriteString("property", "drive");
            writer.WriteString("value", node);
        }, cancellationToken);
}
