using System.Text.Json;

namespace Virtigo.Hypervisors.Qemu;

/// <content>What can be done to a guest from outside while it runs.</content>
internal sealed partial class QemuGuest
{
    private const int ScreenshotLimit = 64 << 20;
    private const int MaxKeys = 8;
    private const int SlowestDisk = 1024;
    private readonly SemaphoreSlim _diskTurn = new(1);
    private readonly Dictionary<int, string> _faultNodes = [];
    private int _faults;

    /// <inheritdoc/>
    public Task ResetAsync(CancellationToken cancellationToken) =>
        CommandAsync("The reset button cannot be pressed", "system_reset", null, cancellationToken);

    /// <inheritdoc/>
    public Task PauseAsync(CancellationToken cancellationToken) => CommandAsync("The guest cannot be paused", "stop", null, cancellationToken);

    /// <inheritdoc/>
    public Task ResumeAsync(CancellationToken cancellationToken) => CommandAsync("The guest cannot go on", "cont", null, cancellationToken);

    /// <inheritdoc/>
    public async Task SaveStateAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            await QemuState.SaveAsync(Qmp, QemuCommandLine.StateSocket(_config), path, _config.MemoryFile is { Shared: true }, cancellationToken);
        }
        catch (Exception error) when (error is IOException or QmpException)
        {
            throw new VirtigoException(FailureKind.Guest, $"The state of guest {_config.Name} cannot be saved: {error.Message}", inner: error);
        }
    }

    /// <inheritdoc/>
    public Task SendKeysAsync(IReadOnlyList<string> keys, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(keys.Count, MaxKeys, nameof(keys));
        return CommandAsync("The keys cannot be pressed", "send-key", writer =>
        {
            writer.WriteStartArray("keys");
            foreach (string key in keys)
            {
                writer.WriteStartObject();
                writer.WriteString("type", "qcode");
                writer.WriteString("data", key);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        }, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<byte[]> ScreenshotAsync(CancellationToken cancellationToken)
    {
        if (!_config.Display)
        {
            throw new VirtigoException(FailureKind.Usage, $"Guest {_config.Name} has no screen.", "Start it with a display.");
        }

        string file = Path.Combine(_config.WorkDirectory, $"screen-{Guid.NewGuid():N}.png");
        try
        {
            await CommandAsync("The screen cannot be seen", "screendump", writer =>
            {
                writer.WriteString("filename", file);
                writer.WriteString("format", "png");
            }, cancellationToken);
            var picture = new FileInfo(file);
            return picture.Length <= ScreenshotLimit
                ? await File.ReadAllBytesAsync(file, cancellationToken)
                : throw new VirtigoException(FailureKind.Guest, $"The picture of the screen has {picture.Length} bytes; expected at most {ScreenshotLimit}.");
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <inheritdoc/>
    public Task BreakAsync(string serial, CancellationToken cancellationToken)
    {
        if (_serials.All(port => port.Name != serial))
        {
            throw new ArgumentException($"The guest has no serial port '{serial}'.", nameof(serial));
        }

        return CommandAsync("No BREAK can be sent", "chardev-send-break", writer => writer.WriteString("id", QemuCommandLine.SerialId(serial)), cancellationToken);
    }

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

        await _diskTurn.WaitAsync(cancellationToken);
        try
        {
            await ThrottleAsync(disk, fault.Kind == DiskFaultKind.Slow ? fault.BytesPerSecond : 0, cancellationToken);
            if (_faultNodes.Remove(disk, out string? old))
            {
                await SetNodeAsync(disk, QemuCommandLine.DiskNode(disk), cancellationToken);
                await CommandAsync("The disk's fault cannot be ended", "blockdev-del", writer => writer.WriteString("node-name", old), cancellationToken);
            }

            if (fault.Kind is DiskFaultKind.Error or DiskFaultKind.Full)
            {
                string node = $"fault{disk}-{++_faults}";
                await AddFaultNodeAsync(node, disk, fault.Kind, cancellationToken);
                await SetNodeAsync(disk, node, cancellationToken);
                _faultNodes[disk] = node;
            }
        }
        finally
        {
            _diskTurn.Release();
        }
    }

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

    private async Task CommandAsync(string problem, string command, Action<Utf8JsonWriter>? arguments, CancellationToken cancellationToken)
    {
        try
        {
            await Qmp.ExecuteAsync(command, arguments, cancellationToken);
        }
        catch (IOException error)
        {
            throw new VirtigoException(FailureKind.Guest, $"{problem}: the guest has ended.", inner: error);
        }
        catch (QmpException error)
        {
            throw new VirtigoException(error.ErrorClass == "GenericError" ? FailureKind.Usage : FailureKind.Guest, $"{problem}: {error.Message}", inner: error);
        }
    }
}
