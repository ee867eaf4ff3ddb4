using Virtigo.Appliances;

namespace Virtigo.Environments.Steps;

/// <summary>One kind of step: the single place that says everything about it.</summary>
/// <param name="Name">The word or words that begin it.</param>
/// <param name="Description">What it does, in a sentence.</param>
/// <param name="Example">A valid step.</param>
/// <param name="Keys">What may stand in its mapping.</param>
/// <param name="Shorthand">The key that a lone value stands for, or null when there must be a mapping.</param>
/// <param name="Make">Makes the step; null when values do not fit together, and then a problem was added.</param>
internal sealed record StepVerb(
    string Name, string Description, string Example, IReadOnlyList<SpecKey> Keys, string? Shorthand, Func<StepValues, IReadOnlyList<string>, Step?> Make)
{
    /// <summary>Other words that begin it.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>Whether it is complete without any value.</summary>
    public bool Bare { get; init; }

    /// <summary>Whether a word begins this kind of step.</summary>
    public bool Is(string word) => word == Name || Aliases.Contains(word);
}
