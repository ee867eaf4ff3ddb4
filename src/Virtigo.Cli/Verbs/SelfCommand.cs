namespace Virtigo.Cli.Verbs;

/// <summary>How to run this very command again.</summary>
internal static class SelfCommand
{
    /// <summary>The program and what must come first.</summary>
    public static IReadOnlyList<string> Words { get; } =
        Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet"
            ? [Environment.ProcessPath!, Path.GetFullPath(Environment.GetCommandLineArgs()[0])]
            : [Environment.ProcessPath!];
}
