using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;
using Virtigo.Host;

namespace Virtigo.Hypervisors.Libvirt;

/// <summary>One guest that is a transient domain of libvirt's, and belongs to a client of ours.</summary>
internal sealed class LibvirtGuest : IGuest
{
    private const int ScreenshotLimit = 64 << 20;
    private const int MaxKeys = 8;
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan TellLimit = TimeSpan.FromSeconds(5);
    private static readonly byte[] s_png = [0x89, (byte)'P', (byte)'N', (byte)'G'];
    private readonly LibvirtClient _client;
    private readonly HypervisorCapabilities _abilities;
    private readonly GuestConfig _config;
    private readonly LibvirtLaunch _launch;
    private readonly SemaphoreSlim _turn = new(1);
    private volatile bool _killed;

    private LibvirtGuest(LibvirtClient client, HypervisorCapabilities abilities, GuestConfig config, LibvirtLaunch launch)
    {
        (_client, _abilities, _config, _launch) = (client, abilities, config, launch);
        Exited = WatchAsync();
    }

    /// <inheritdoc/>
    public int ProcessId => _launch.ProcessId;

    /// <inheritdoc/>
    public Task<GuestExit> Exited { get; }

    /// <inheritdoc/>
    public Stream? Agent => _launch.Agent;

    /// <inheritdoc/>
    public Stream? Channel => _launch.Channel;

    private string Domain => _launch.Identity.Id.ToString("D");

    /// <summary>Starts a guest; unless it is to stay paused, it runs when this returns.</summary>
    public static async Task<LibvirtGuest> StartAsync(
        LibvirtClient client, HypervisorCapabilities abilities, GuestConfig config, Accelerator accelerator, CancellationToken cancellationToken)
    {
        HostTools.Require(LibvirtClient.Program);
        GuestConfigCheck.Check(LibvirtHypervisor.KindName, abilities, config);
        LibvirtConfigCheck.Check(config);
        LibvirtGuest? guest = null;
        LibvirtLaunch launch = await LibvirtLaunch.StartAsync(client, config, accelerator, () => guest?.GiveUp(), cancellationToken);
        guest = new LibvirtGuest(client, abilities, config, launch);
        try
        {
            if (!config.StartPaused)
            {
                await guest.ResumeAsync(cancellationToken);
            }

            return guest;
        }
        catch
        {
            await guest.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public Stream OpenSerial(string name) => _launch.Serials[Port(name)].Open();

    /// <inheritdoc/>
    public Task PowerButtonAsync(CancellationToken cancellationToken) =>
        CommandAsync("The power button cannot be pressed", ["shutdown", Domain, "--mode", "acpi"], cancellationToken);

    /// <inheritdoc/>
    public Task ResetAsync(CancellationToken cancellationToken) =>
        CommandAsync("The reset button cannot be pressed", ["reset", Domain], cancellationToken);

    /// <inheritdoc/>
    public Task PauseAsync(CancellationToken cancellationToken) =>
        InTurnAsync(() => CommandAsync("The guest cannot be paused", ["suspend", Domain], cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task ResumeAsync(CancellationToken cancellationToken) => InTurnAsync(async () =>
    {
        try
        {
            await CommandAsync("The guest cannot go on", ["resume", Domain], cancellationToken);
        }
        catch (VirtigoException error) when (error.Kind == FailureKind.Guest && !Exited.IsCompleted)
        {
            // One that runs is told from one that cannot by its state, not by words that change.
            string state = await CommandAsync("The guest cannot go on", ["domstate", Domain], cancellationToken);
            if (state.Trim() != "running")
            {
                throw;
            }
        }
    }, cancellationToken);

    /// <inheritdoc/>
    public Task SaveStateAsync(string path, CancellationToken cancellationToken) => Task.FromException(Cannot("fork"));

    /// <inheritdoc/>
    public Task SetDiskFaultAsync(int disk, DiskFault fault, CancellationToken cancellationToken) => Task.FromException(Cannot("disk faults"));

    /// <inheritdoc/>
    public async Task SendKeysAsync(IReadOnlyList<string> keys, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(keys.Count, MaxKeys, nameof(keys));
        string[] codes = [.. keys.Select(key => LibvirtKeys.Find(key)
            ?? throw new VirtigoException(FailureKind.Usage, $"The keys cannot be pressed: there is no key '{key}'."))];
        if (codes.Length > 0)
        {
            await CommandAsync("The keys cannot be pressed", ["send-key", Domain, "--codeset", "linux", .. codes], cancellationToken);
        }
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
            await CommandAsync("The screen cannot be seen", ["screenshot", Domain, "--file", file], cancellationToken);
            var picture = new FileInfo(file);
            byte[] bytes = picture.Length <= ScreenshotLimit
                ? await File.ReadAllBytesAsync(file, cancellationToken)
                : throw new VirtigoException(FailureKind.Guest, $"The picture of the screen has {picture.Length} bytes; expected at most {ScreenshotLimit}.");
            return bytes.AsSpan().StartsWith(s_png) ? bytes
                : throw new VirtigoException(FailureKind.Host, "This libvirt gives pictures in another format than PNG.", "Use libvirt 9 and QEMU 7.2, or newer ones.");
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <inheritdoc/>
    public async Task SysRqAsync(string serial, char key, CancellationToken cancellationToken)
    {
        // A BREAK is no character: Linux takes the next one for a command.
        int index = Port(serial);
        await using Stream port = _launch.Serials[index].Open();
        const string problem = "No BREAK can be sent";
        string command = $$$"""{"execute":"chardev-send-break","arguments":{"id":"charserial{{{index}}}"}}""";
        string answer = await CommandAsync(problem, ["qemu-monitor-command", Domain, command], cancellationToken);
        if (Refusal(answer) is { } refusal)
        {
            throw new VirtigoException(FailureKind.Guest, $"{problem}: {refusal}");
        }

        await port.WriteAsync(new[] { (byte)key }, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task KillAsync(CancellationToken cancellationToken)
    {
        _killed = true;
        await EndDomainAsync(cancellationToken);
        await Exited.WaitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await KillAsync(CancellationToken.None);
        await _launch.DisposeAsync();
        _turn.Dispose();
    }

    /// <summary>What QEMU says about a command that it refused, by its answer; null when it did what it was told.</summary>
    internal static string? Refusal(string answer)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(answer);
            return document.RootElement.ValueKind != JsonValueKind.Object ? "QEMU's answer makes no sense"
                : !document.RootElement.TryGetProperty("error", out JsonElement error) ? null
                : Qemu.QmpMessage.Text(error, "desc") ?? "QEMU refused";
        }
        catch (JsonException)
        {
            return "QEMU's answer makes no sense";
        }
    }

    private int Port(string name)
    {
        int index = _config.Serials.ToList().FindIndex(serial => serial.Name == name);
        return index >= 0 ? index : throw new ArgumentException($"The guest has no serial port '{name}'.", nameof(name));
    }

    private VirtigoException Cannot(string feature) => HypervisorFeature.Of(feature).Refusal(LibvirtHypervisor.KindName, _abilities, _config.Name);

    private async Task<string> CommandAsync(string problem, string[] arguments, CancellationToken cancellationToken)
    {
        if (Exited.IsCompleted)
        {
            throw new VirtigoException(FailureKind.Guest, $"{problem}: the guest has ended.");
        }

        ToolResult result = await _client.TryAsync(arguments, cancellationToken);
        return result.ExitCode == 0 ? result.Output
            : throw new VirtigoException(FailureKind.Guest, LibvirtClient.IsGone(result.Error) ? $"{problem}: the guest has ended."
                : $"{problem}: {LibvirtClient.Reason(result.Error)}.");
    }

    private async Task InTurnAsync(Func<Task> action, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            await action();
        }
        finally
        {
            _turn.Release();
        }
    }

    private void GiveUp() => _ = EndDomainAsync(CancellationToken.None);

    /// <summary>Has libvirt end the domain; where it does not, its owner's end is the domain's, and QEMU is only a process.</summary>
    private async Task EndDomainAsync(CancellationToken cancellationToken)
    {
        if (Exited.IsCompleted)
        {
            return;
        }

        try
        {
            ToolResult result = await _client.TryAsync(["destroy", Domain], cancellationToken);
            if (result.ExitCode == 0 || LibvirtClient.IsGone(result.Error))
            {
                return;
            }
        }
        catch (VirtigoException)
        {
            // It does not answer.
        }

        _launch.Owner.Kill();
    }

    private async Task<GuestExit> WatchAsync()
    {
        Task life = LifeAsync();
        await Task.WhenAny(life, _launch.Exits.Stopped, _launch.Owner.Ended);
        string? client = null;
        if (!life.IsCompleted && !_launch.Exits.Stopped.IsCompleted)
        {
            // Without its connection the domain is to end; a daemon that was itself killed does not do it, but one that comes after it does as it is told.
            client = LibvirtClient.Reason(_launch.Owner.Said);
            await DestroyQuietlyAsync();
        }

        // libvirt puts the domain away after its process; until then its name and what it holds are taken.
        await WithinAsync(Task.WhenAll(life, Task.WhenAny(_launch.Exits.Stopped, _launch.Owner.Ended)), EndLimit);
        if (!life.IsCompleted)
        {
            KillProcess();
            await life;
        }

        if (_launch.Exits.HasMoreToTell)
        {
            await WithinAsync(Task.WhenAny(_launch.Exits.Told, _launch.Monitor.Ended), TellLimit);
        }

        await _launch.Owner.DisposeAsync();
        await _launch.Monitor.DisposeAsync();
        await Task.WhenAll(_launch.Serials.Select(port => port.DrainAsync()));
        foreach (SerialPort port in _launch.Serials)
        {
            await port.DisposeAsync();
        }

        string said = LibvirtLaunch.RemoveFiles(_client, _config, _launch.Identity);
        string? panic = PanicWords.In(_launch.Serials);
        return _launch.Exits.Conclude(_killed, said, panic, client, _launch.Owner.Command.ToString());
    }

    private async Task DestroyQuietlyAsync()
    {
        try
        {
            await _client.TryAsync(["destroy", Domain], CancellationToken.None);
        }
        catch (VirtigoException)
        {
            // Then the process is killed below.
        }
    }

    /// <summary>Waits for the end of QEMU itself.</summary>
    private async Task LifeAsync()
    {
        if (_launch.Life is not { } life)
        {
            await Task.WhenAny(_launch.Exits.Stopped, _launch.Owner.Ended);
            return;
        }

        byte[] buffer = new byte[16];
        try
        {
            while (await life.ReadAsync(buffer) > 0)
            {
            }
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException)
        {
            // A connection that breaks has ended too.
        }
    }

    private static async Task WithinAsync(Task task, TimeSpan limit)
    {
        try
        {
            await task.WaitAsync(limit);
        }
        catch (TimeoutException)
        {
            // What follows does not rely on it.
        }
    }

    // While the connection is there, so is the process: its number is nobody else's.
    private void KillProcess()
    {
        try
        {
            using Process process = Process.GetProcessById(ProcessId);
            process.Kill();
        }
        catch (Exception error) when (error is ArgumentException or InvalidOperationException or Win32Exception)
        {
            // It has ended, or is another user's.
        }
    }
}
