namespace Virtigo.Machines;

/// <summary>What can be done to a process in a guest.</summary>
internal interface IGuestProcessControl : IAsyncDisposable
{
    /// <summary>Sends a signal to the process and all it started in its session.</summary>
    Task SignalAsync(int signal, CancellationToken cancellationToken);

    /// <summary>Changes the size of its terminal.</summary>
    Task ResizeAsync(int columns, int rows, CancellationToken cancellationToken);
}

/// <summary>
/// A running process of a machine. Output that is not read holds the process up, nothing else. Disposing it kills the process and
/// all it started in its session, unless it has ended.
/// </summary>
public sealed class GuestProcess : IAsyncDisposable
{
    private readonly IGuestProcessControl _control;

    internal GuestProcess(Stream input, Stream output, Stream error, Task<int> exited, IGuestProcessControl control) =>
        (Input, Output, Error, Exited, _control) = (input, output, error, exited, control);

    /// <summary>What the process reads. Disposing it shows the process the end. Use the asynchronous members.</summary>
    public Stream Input { get; }

    /// <summary>What the process writes. It ends with the process, even when something that it left in the background still runs.</summary>
    public Stream Output { get; }

    /// <summary>What the process writes to its standard error; empty on a terminal.</summary>
    public Stream Error { get; }

    /// <summary>
    /// Its exit code, or 128 + n when signal n ended it, once all that it wrote was taken: read <see cref="Output"/> and
    /// <see cref="Error"/> to their ends, or dispose the process. Faults with <see cref="VirtigoException"/> when the machine went away first.
    /// </summary>
    public Task<int> Exited { get; }

    /// <summary>Sends a signal to the process and all it started in its session.</summary>
    /// <param name="signal">The signal's number on Linux, 1 to 64: 2 interrupts, 15 terminates, 9 kills.</param>
    /// <param name="cancellationToken">Ends the wait for the channel.</param>
    public Task SignalAsync(int signal, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(signal, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(signal, 64);
        return _control.SignalAsync(signal, cancellationToken);
    }

    /// <summary>Changes the size of its terminal; does nothing to a process on pipes.</summary>
    /// <param name="columns">The width in characters, 1 to 65535.</param>
    /// <param name="rows">The height in lines, 1 to 65535.</param>
    /// <param name="cancellationToken">Ends the wait for the channel.</param>
    public Task ResizeAsync(int columns, int rows, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(columns, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(columns, ushort.MaxValue);
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, ushort.MaxValue);
        return _control.ResizeAsync(columns, rows, cancellationToken);
    }

    /// <summary>Kills the process unless it has ended, and forgets it.</summary>
    public async ValueTask DisposeAsync() => await _control.DisposeAsync();
}
