namespace Virtigo.Cli.Output;

/// <summary>How to talk to whoever listens.</summary>
/// <param name="Json">Data goes to standard output as JSON.</param>
/// <param name="Live">A person watches a terminal that can redraw.</param>
/// <param name="Colour">Colours are welcome.</param>
/// <param name="Verbose">Say more than is needed.</param>
internal sealed record OutputMode(bool Json, bool Live, bool Colour, bool Verbose)
{
    public static OutputMode Decide(Func<string, string?> variable, bool terminal, bool json, bool verbose)
    {
        bool Set(string name) => variable(name) is { Length: > 0 } value && value is not ("0" or "false");
        bool able = terminal && variable("TERM") is not (null or "" or "dumb");
        return new OutputMode(json, able && !json && !Set("CI"), able && variable("NO_COLOR") is not { Length: > 0 }, verbose);
    }
}
