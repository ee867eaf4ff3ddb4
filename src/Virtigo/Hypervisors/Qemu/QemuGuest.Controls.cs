using System.Text.Json;

namespace Virtigo.Hypervisors.Qemu;

/// <content>What can be done to a guest from outside while it runs.</content>
internal sealed partial class QemuGuest
{
    private const int ScreenshotLimit = 64 << 20;
    private const int MaxKeys = 8;

    // Of what stops the guest, lets it go on, or relies on its standing still.
    private readonly SemaphoreSlim _turn = new(1);

    /// <inheritdoc/>
    public Task ResetAsync(CancellationToken cancellationToken) =>
        CommandAsync("The reset button cannot be pressed", "system_reset", null, cancellationToken);

    /// <inheritdoc/>
    public Task PauseAsync(CancellationToken cancellationToken) =>
        InTurnAsync(() => CommandAsync("The guest cannot be paused", "stop", null, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task ResumeAsync(CancellationToken cancellationToken) =>
        InTurnAsync(() => CommandAsync("The guest cannot go on", "cont", null, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public async Task SaveStateAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            await InTurnAsync(
                () => QemuState.SaveAsync(Qmp, QemuCommandLine.StateSocket(_config), path, _config.MemoryFile is { Shared: true }, cancellationToken),
                cancellationToken);
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
    public async Task SysRqAsync(string serial, char key, CancellationToken cancellationToken)
    {
        // A BREAK is no character: Linux takes the next one for a command.
        await using Stream port = OpenSerial(serial);
        await CommandAsync("No BREAK can be sent", "chardev-send-break", writer => writer.WriteString("id", QemuCommandLine.SerialId(serial)), cancellationToken);
        await port.WriteAsync(new[] { (byte)key }, cancellationToken);
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

    private async Task CommandAsync(string problem, string command, Action<Utf8JsonWriter>? arguments, CancellationToken cancellationToken) =>
        await QueryAsync(problem, command, arguments, cancellationToken);

    private async Task<JsonElement> QueryAsync(string problem, string command, Action<Utf8JsonWriter>? arguments, CancellationToken cancellationToken)
    {
        try
        {
            return await Qmp.ExecuteAsync(command, arguments, cancellationToken);
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
