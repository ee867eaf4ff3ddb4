namespace Virtigo.Machines;

public sealed partial class Machine
{
    /// <summary>
    /// Opens the serial console: it begins with what was said before (at most the last mebibyte) and ends with the power-on. What is
    /// written is typed. One that is not read holds the console up; dispose it when done.
    /// </summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when the machine is off.</exception>
    public Stream OpenConsole() => Running().Guest.OpenSerial(_config.Console);

    /// <summary>The last lines of the console that are not empty, of the current or last power-on, without control characters.</summary>
    /// <param name="lines">How many at most.</param>
    public string ConsoleTail(int lines)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(lines, 1);
        return _run?.Console.Tail(lines) ?? "";
    }
}
