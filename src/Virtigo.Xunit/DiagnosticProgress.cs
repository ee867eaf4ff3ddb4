using System.Globalization;
using Virtigo.Appliances;
using Xunit;

namespace Virtigo.Xunit;

/// <summary>Tells in xUnit's diagnostic messages how the preparation of an environment goes on: a line for each stage and each note.</summary>
/// <param name="name">The environment's file, which begins each line.</param>
/// <param name="context">The context to tell it in: events come from threads that have none.</param>
internal sealed class DiagnosticProgress(string name, ITestContext context) : IProgress<BuildEvent>
{
    /// <inheritdoc/>
    public void Report(BuildEvent value)
    {
        if (Line(value) is { } line)
        {
            context.SendDiagnosticMessage($"{name}: {line}");
        }
    }

    /// <summary>The line for an event, or null for those that come too often.</summary>
    internal static string? Line(BuildEvent value) => value switch
    {
        StageStarted { Stage: var stage } => stage,
        StageFinished { Stage: var stage, Elapsed: var elapsed } =>
            string.Create(CultureInfo.InvariantCulture, $"{stage} took {elapsed.TotalSeconds:0.0} s"),
        BuildNote { Text: var text } => text,
        _ => null,
    };
}
