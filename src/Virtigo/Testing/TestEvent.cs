namespace Virtigo.Testing;

/// <summary>Something that happened while tests run, for a person or program that watches.</summary>
public abstract record TestEvent;

/// <summary>The first tests are about to start.</summary>
/// <param name="Tests">How many tests there are, repetitions included.</param>
/// <param name="Parallel">How many run at once at most.</param>
/// <param name="Seed">Where what is drawn comes from.</param>
public sealed record TestRunStarted(int Tests, int Parallel, ulong Seed) : TestEvent;

/// <summary>An attempt at a test began: its fork is asked for.</summary>
/// <param name="Test">The test's title.</param>
/// <param name="Attempt">The number of the attempt, from 1.</param>
public sealed record TestStarted(string Test, int Attempt) : TestEvent;

/// <summary>The fork of a test is there.</summary>
/// <param name="Test">The test's title.</param>
/// <param name="Elapsed">How long that took.</param>
/// <param name="Machines">The machines of the fork.</param>
public sealed record TestForked(string Test, TimeSpan Elapsed, IReadOnlyList<string> Machines) : TestEvent;

/// <summary>A step began.</summary>
/// <param name="Test">The test's title.</param>
/// <param name="Number">The step's number, from 1.</param>
/// <param name="Title">The step.</param>
/// <param name="Machines">The machines it is about.</param>
public sealed record StepStarted(string Test, int Number, string Title, IReadOnlyList<string> Machines) : TestEvent;

/// <summary>A step ended.</summary>
/// <param name="Test">The test's title.</param>
/// <param name="Step">What became of it.</param>
public sealed record StepEnded(string Test, StepReport Step) : TestEvent;

/// <summary>A test waits at a breakpoint for a person.</summary>
/// <param name="Test">The test's title.</param>
/// <param name="Place">Where the step is written.</param>
public sealed record TestPaused(string Test, string Place) : TestEvent;

/// <summary>A test ended; there will be no further attempt.</summary>
/// <param name="Result">What became of it.</param>
public sealed record TestEnded(TestResult Result) : TestEvent;

/// <summary>Something worth knowing about a test or the run.</summary>
/// <param name="Text">One sentence.</param>
public sealed record TestNote(string Text) : TestEvent;
